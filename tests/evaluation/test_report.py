"""Tests for evaluation/report.py."""

from html.parser import HTMLParser

import pytest
from fake_evaluations import a_task, some_results

from tinyvla_gym.errors import OutputError
from tinyvla_gym.evaluation.report import write_report


class Page(HTMLParser):
    """Collects text and films, and checks that tags are closed in order."""

    VOID = ("meta", "br", "img")

    def __init__(self, source):
        super().__init__()
        self.films, self.text, self._open = [], "", []
        self.feed(source)
        assert self._open == []

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
    assert written(RESULTS, tmp_path, videos=tmp_path / "videos").films == []


def test_films_that_exist_are_shown_with_their_seed_and_end(tmp_path) -> None:
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "drawer-open.mp4").touch()

    page = written(RESULTS, tmp_path, videos=tmp_path / "videos")

    assert page.films == ["videos/drawer-open.mp4"]
    assert ", seed 1000000: solved at step 40" in page.text


def test_a_folder_of_films_may_lie_anywhere_and_have_any_name(tmp_path) -> None:
    films = tmp_path / "my #1 films"
    films.mkdir()
    (films / "push.mp4").touch()
    (tmp_path / "page").mkdir()

    page = written(RESULTS, tmp_path / "page", videos=films)

    assert page.films == ["../my%20%231%20films/push.mp4"]


def test_what_the_user_wrote_is_text_and_never_markup(tmp_path) -> None:
    task = a_task("drawer-open", [True], instruction="open <b>& shut</b>")
    results = some_results([task], policy="<script>alert(1)</script>")

    page = written(results, tmp_path)

    source = (tmp_path / "report.html").read_text()
    assert "<script>" not in source
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
