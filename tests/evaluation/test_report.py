"""Tests for evaluation/report.py."""

import base64
import re
from html.parser import HTMLParser

import pytest
from fake_evaluations import a_task, some_results

from tinyvla_gym.errors import ConfigError, OutputError
from tinyvla_gym.evaluation.published import PUBLISHED
from tinyvla_gym.evaluation.report import write_report, write_sweep
from tinyvla_gym.evaluation.suites import TIERS
from tinyvla_gym.evaluation.sweeps import Point, Sweep


class Page(HTMLParser):
    """Collects text and films, and checks that tags are closed in order."""

    VOID = ("meta", "br", "img")  # and what SVG closes itself

    def __init__(self, source):
        super().__init__()
        self.films, self.text, self._open = [], "", []
        self.feed(source)
        assert self._open == []

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_starttag(self, tag, attrs):
        if tag not in self.VOID:
            self._open.append(tag)
        if tag == "video":
            self.films.append(dict(attrs)["src"])

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.text += data + " "


def written(results, tmp_path, **settings):
    path = tmp_path / "report.html"
    write_report(results, path, title="nano on mt10", **settings)
    return Page(path.read_text(encoding="utf-8"))


RESULTS = some_results([a_task("drawer-open", [True, False]), a_task("push", [False, False])])


def test_the_page_says_every_number(tmp_path) -> None:
    text = written(RESULTS, tmp_path).text

    for line in RESULTS.summary():
        assert line in text
    for result in RESULTS.tasks.values():
        low, high = (100 * bound for bound in result.wilson95)
        assert result.task in text
        assert result.sentence in text
        assert f"{result.successes} of {result.episodes}" in text
        assert f"{low:.0f} to {high:.0f} %" in text
    assert "24.0" in text  # ms per plan


def test_without_films_there_is_no_player(tmp_path) -> None:
    assert written(RESULTS, tmp_path).films == []


def test_films_are_inside_the_page_failures_first(tmp_path) -> None:
    films = tmp_path / "films"
    films.mkdir()
    for name, content in (
        ("drawer-open", b"solved"),
        ("drawer-open-failure", b"not"),
        ("push", b"never"),
    ):
        (films / f"{name}.mp4").write_bytes(content)

    page = written(RESULTS, tmp_path, videos=films)

    shown = [base64.b64decode(one.removeprefix("data:video/mp4;base64,")) for one in page.films]
    assert shown == [b"never", b"not", b"solved"]
    assert "push , seed 1000000: not solved" in page.text
    assert "drawer-open , seed 1000001: not solved" in page.text
    assert "drawer-open , seed 1000000: solved at step 40" in page.text


def test_a_page_asks_nobody_for_anything(tmp_path) -> None:
    written(everywhere(), tmp_path)

    source = (tmp_path / "report.html").read_text()
    assert not re.search(r"https?://|<link|@import|url\(|fetch\(", source)


def everywhere(**settings):
    """A whole mt50."""
    tasks = [a_task(task, [True, False]) for tier in TIERS.values() for task in tier]
    return some_results(tasks, suite="mt50", episodes=2, **settings)


def test_published_rows_carry_their_conditions(tmp_path) -> None:
    page = written(everywhere(), tmp_path)

    for row in PUBLISHED:
        assert row.protocol in page.text
        assert row.source in page.text
        assert (f"{row.model} \u2020" in page.text) == row.second_hand
    assert "native, changed: instructions heldout, episodes 2, proprio" in page.text


def test_published_averages_are_those_of_their_tiers() -> None:
    for row in PUBLISHED:
        assert sum(row.tiers) / 4 == pytest.approx(row.average, abs=0.06)


def test_without_a_whole_tier_nobody_is_compared_with_others(tmp_path) -> None:
    assert "others have published" not in written(RESULTS, tmp_path).text


def test_a_page_says_how_to_play_it_again(tmp_path) -> None:
    page = written(RESULTS, tmp_path)

    assert f"{RESULTS.command} --out FOLDER" in page.text
    assert RESULTS.conditions.hash in page.text
    assert "3.11.7" in page.text


def test_conditions_are_said_in_words(tmp_path) -> None:
    page = written(some_results([a_task("push", [True])], goal_marker=False), tmp_path)

    source = (tmp_path / "report.html").read_text()
    assert "<dt>goal marker</dt><dd>no</dd>" in source
    assert "<dt>randomize</dt><dd>not at all</dd>" in source
    assert "<dt>cameras</dt><dd>as policy and env have it</dd>" in source
    assert "<dt>delay</dt><dd>0</dd>" in source
    assert "null" not in page.text


def test_a_sweep_has_a_curve_and_a_table(tmp_path) -> None:
    points = tuple(
        Point(label=label, results=some_results([a_task("push", [True] * solved + [False] * 4)]))
        for label, solved in (("1", 4), ("16", 12))
    )

    write_sweep(Sweep(name="replan", points=points), tmp_path / "sweep.html", title="nano: replan")

    source = (tmp_path / "sweep.html").read_text()
    page = Page(source)
    assert "50.0 %" in page.text
    assert "75.0 %" in page.text
    curve = re.search(r"<polyline class='curve' points='([^']+)'", source)
    assert curve
    [(left, low), (right, high)] = [map(float, one.split(",")) for one in curve[1].split()]
    assert left < right
    assert low > high  # the y axis of SVG points down


def swept(sweep, values, tmp_path, setting):
    """The page of a sweep over two tasks; the first is solved everywhere, the second nowhere."""
    tasks = [a_task("push", [True] * 4), a_task("reach", [False] * 4)]
    points = tuple(
        Point(
            label=str(value),
            results=some_results(tasks, **{"instructions": "default", setting: value}),
        )
        for value in values
    )
    write_sweep(Sweep(name=sweep, points=points), tmp_path / "sweep.html", title="nano")
    return (tmp_path / "sweep.html").read_text()


def test_a_sweep_says_how_to_play_all_of_it_again(tmp_path) -> None:
    page = Page(swept("replan", (1, 16), tmp_path, "execute"))

    assert "--sweep replan --out FOLDER" in page.text
    assert "--execute" not in page.text  # no single point


def test_a_sweep_shows_which_task_suffers(tmp_path) -> None:
    source = swept("sentences", ("default", "blank"), tmp_path, "instructions")

    assert "<td>reach</td><td class='number'>0 of 4</td><td class='number'>0 of 4</td>" in source
    assert "<polyline" not in source  # sentences have no order that a line could follow


def test_sweeps_and_notes_stand_on_the_page_of_a_policy(tmp_path) -> None:
    points = tuple(
        Point(label=label, results=some_results([a_task("push", [solved] * 4)]))
        for label, solved in (("1", True), ("16", False))
    )
    sweep = Sweep(name="replan", points=points)

    page = written(RESULTS, tmp_path, sweeps=[sweep], notes=["5 million weights, <= 20 MB"])

    assert "5 million weights, <= 20 MB" in page.text
    assert "Actions played per chunk" in page.text
    assert "4 of 4" in page.text
    assert (tmp_path / "report.html").read_text().count("<polyline class='curve'") == 1
    assert "4 episodes each" in page.text


@pytest.mark.parametrize("other", [{"fingerprint": "another"}, {"policy": "random"}])
def test_a_sweep_of_another_policy_is_no_part_of_the_page(other, tmp_path) -> None:
    swept = some_results([a_task("push", [True])], **other)
    sweep = Sweep(name="replan", points=(Point(label="1", results=swept),))

    with pytest.raises(ConfigError, match="The sweep replan is of"):
        written(RESULTS, tmp_path, sweeps=[sweep])


def test_what_the_user_wrote_is_text_and_never_markup(tmp_path) -> None:
    task = a_task("drawer-open", [True], instruction="open <b>& shut</b>")
    results = some_results([task], policy="<script>alert(1)</script>")

    page = written(results, tmp_path)

    source = (tmp_path / "report.html").read_text()
    assert "<script>alert" not in source
    assert "<b>&" not in source
    assert "open <b>& shut</b>" in page.text


def test_bars_stay_within_their_box(tmp_path) -> None:
    written(some_results([a_task("a", [True] * 5), a_task("b", [False] * 5)]), tmp_path)

    source = (tmp_path / "report.html").read_text()
    assert "width:100.0%" in source
    assert "left:0.0%" in source
    assert "left:-" not in source
    assert "width:-" not in source


def test_a_place_that_cannot_be_written_to_is_named(tmp_path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(OutputError, match=r"file/report\.html"):
        write_report(RESULTS, tmp_path / "file" / "report.html", title="")
