"""The harness: rounds, ratios, refusals, the line protocol, and what is kept of it all."""

import json

import numpy as np
import pytest

from benchmarks import __main__ as program
from benchmarks import catalogue, machine
from benchmarks.batches import picture_error
from benchmarks.catalogue import BENCHMARKS, Benchmark, benchmark_named
from benchmarks.construction import require_same_goals
from benchmarks.demonstrations import require_same_episodes
from benchmarks.evaluation import add_up, climb, factors
from benchmarks.findings import Finding, save
from benchmarks.lines import Subject, SubjectError
from benchmarks.order import largest_error, mean_error
from benchmarks.pixels import difference, require_close
from benchmarks.plot import draw
from benchmarks.refusal import Refusal
from benchmarks.rounds import Round, interleave, summary
from benchmarks.settings import Settings
from benchmarks.steps import require_equal, require_same_path, require_small
from benchmarks.subjects.inputs import packed, random_actions, unpacked, world_seed
from tinyvla_gym.errors import UnknownNameError

ROUNDS = [Round(ours_s=1.0, peer_s=peer_s) for peer_s in (40.0, 60.0, 50.0, 10.0, 55.0)]


def a_finding(**facts):
    told = {"name": "toy", "number": 3, "what": "a toy", "peer": "Peer 1.0", "bar": 40.0}
    return Finding(**{**told, "unit": "step", "check": {"apart": 0.0}, "rounds": ROUNDS, **facts})


def test_rounds_take_turns_and_each_keeps_its_own_time() -> None:
    turns = []

    def turn(side, seconds):
        return lambda index: turns.append((side, index)) or seconds * (index + 1)

    rounds = interleave(turn("ours", 0.5), turn("peer", 2.0), 3)

    assert turns == [(side, index) for index in range(3) for side in ("ours", "peer")]
    assert rounds == [Round(ours_s=0.5 * n, peer_s=2.0 * n) for n in (1, 2, 3)]


def test_the_ratio_is_the_median_of_the_rounds_ratios() -> None:
    found = summary(ROUNDS)

    assert (found["ratio"], found["lowest"], found["highest"]) == (50.0, 10.0, 60.0)
    assert found["peer_s"] == [40.0, 60.0, 50.0, 10.0, 55.0]


@pytest.mark.parametrize(("load", "busy"), [(0.5, False), (9.0, True)])
def test_an_idle_machine_passes_and_a_busy_one_if_it_must(load, busy) -> None:
    machine.check_idle(busy=busy, load=load)


def test_a_busy_machine_is_refused() -> None:
    with pytest.raises(Refusal, match=r"load over the last minute is 0\.51, above 0\.5"):
        machine.check_idle(busy=False, load=0.51)


def test_fewer_than_five_rounds_are_refused() -> None:
    with pytest.raises(Refusal, match="at least 5 rounds, got 4"):
        Settings(rounds=4)


def test_tasks_are_all_or_some_spread_evenly_or_named() -> None:
    among = tuple("abcdefghij")

    wanted = ("all", "", "5", "c, a", "99")

    chosen = [Settings(tasks=one).chosen_tasks("3", among) for one in wanted]

    assert chosen == [among, tuple("adg"), tuple("acegi"), ("c", "a"), among]
    with pytest.raises(UnknownNameError, match="no task here 'z'"):
        Settings(tasks="a,z").chosen_tasks("3", among)


def refusals():
    """Sides that differ by a little more than they may."""
    yield lambda: require_equal({"reach": [1.0, 2.0]}, {"reach": [1.0, 2.0 + 2e-9]}), "reach"
    yield lambda: require_equal({"reach": [float("nan")]}, {"reach": [1.0]}), "reach"
    yield lambda: require_small(2e-9), "2e-09 apart"
    yield lambda: require_same_path("push", [[0, 0, 0]], [[0, 0, 0.003]]), "push.* 3.0 mm"
    yield lambda: require_close(12.1, 12.0, "the reference's"), r"differ by 12\.1 grey levels"
    yield lambda: require_close(float("nan"), 12.0, "theirs"), "differ by nan"
    yield lambda: require_same_goals({"push": [[1.0]]}, {"push": [[1.0 + 1e-15]]}), "push: our"
    yield lambda: require_same_goals({"push": []}, {"pull": []}), "goals for pull, push"
    yield lambda: require_same_episodes({"push": [True, 70]}, {"push": [True, 71]}), "took 70 steps"


@pytest.mark.parametrize(("compare", "complaint"), list(refusals()))
def test_unequal_peers_are_refused(compare, complaint) -> None:
    with pytest.raises(Refusal, match=complaint):
        compare()


def test_equal_peers_pass() -> None:
    apart = require_equal({"reach": [1.0]}, {"reach": [1.0 + 5e-10]})
    assert apart == pytest.approx(5e-10, rel=0.01)
    assert require_same_path("push", [[0, 0, 0]], [[0, 0, 0.001]]) == pytest.approx(0.001)
    require_same_goals({"push": [[1.0, 2.0]]}, {"push": [[1.0, 2.0]]})
    require_same_episodes({"push": [True, 70], "reach": [True, 3]}, {"push": [True, 70]})


class ScriptedSubject:
    """Answers as it was told to."""

    def __init__(self, **answers):
        self.answers = answers

    def ask(self, verb, **arguments):
        found = self.answers[verb]
        return found(arguments) if callable(found) else found


def two_sides(peer_steps=3):
    answers = {"success": True, "steps": 3}
    seconds = {"parity-1": 10.0, "fast-1": 2.0}
    ours = ScriptedSubject(
        play={"sent": [[0.0]] * 3, "success": True, "seconds": 1.0},
        replay=lambda asked: {**answers, "seconds": seconds[asked["profile"]]},
    )
    peer = ScriptedSubject(replay={**answers, "steps": peer_steps, "seconds": 100.0})
    return ours, peer


def test_the_ladder_is_factored_and_its_factors_give_the_ratio() -> None:
    ladder = climb(*two_sides(), "expert", "push", 0, 500)

    found = factors([ladder, add_up([ladder, ladder])])

    assert found == {"lazy": 10.0, "cheaper": 5.0, "smaller": 2.0}
    assert ladder["lerobot"] / ladder["ours"] == np.prod(list(found.values()))


def test_an_evaluation_that_ends_otherwise_is_refused() -> None:
    with pytest.raises(Refusal, match=r"LeRobot after 4 \(solved: True\)"):
        climb(*two_sides(peer_steps=4), "expert", "push", 0, 500)


def test_pictures_are_compared_pixel_by_pixel_with_that_of_their_own_env() -> None:
    dark, light = (np.full((2, 2, 3), shade, np.uint8) for shade in (10, 14))
    alone = {"0": packed(dark), "1": packed(light)}
    turns = [[1, 0], [0, 1]]

    right = [[packed(light), packed(dark)], [packed(dark), packed(light)]]
    wrong = [[packed(light), packed(dark)], [packed(dark), packed(dark)]]

    assert largest_error(turns, right, alone) == 0
    assert largest_error(turns, wrong, alone) == 4
    assert mean_error(turns, wrong, alone) == 1
    assert difference(dark, light) == 4
    assert difference(dark, light[:1]) == float("inf")


def test_what_subjects_are_given_is_the_same_everywhere() -> None:
    picture = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)

    np.testing.assert_array_equal(unpacked(json.loads(json.dumps(packed(picture)))), picture)
    np.testing.assert_array_equal(random_actions(5, 1), random_actions(9, 1)[:5])
    assert world_seed(3) == world_seed(3) != world_seed(4)


def test_a_subject_answers_on_one_thread_and_its_chatter_does_not_disturb() -> None:
    with Subject("fake", "tests.fake_subject") as fake:
        assert fake.ask("double", number=21) == 42
        assert fake.ask("chatter") == "1"
        with pytest.raises(SubjectError, match=r"(?s)fail: ValueError: the gripper.*about to"):
            fake.ask("fail")
        assert fake.ask("double", number=2) == 4
        with pytest.raises(SubjectError, match="fake ended during 'exit'"):
            fake.ask("exit")
        with pytest.raises(SubjectError, match="fake ended during 'double'"):
            fake.ask("double", number=1)


def test_a_finding_says_what_it_is_worth() -> None:
    lines = "\n".join(a_finding(more={"factors": {"lazy": 7.25}}).lines())

    assert "toy: 50x Peer 1.0 (10 to 60 in 5 rounds); bar 40x: reached" in lines
    assert "per step: ours 1 s, peer 50 s" in lines
    assert "factors: lazy 7.25" in lines
    assert "missed" in next(iter(a_finding(bar=51.0).lines()))
    assert a_finding(rounds=[], value=3.0, bar=2.0).met is False


def test_findings_are_kept_beside_those_of_before(tmp_path) -> None:
    path = tmp_path / "found.json"
    save(path, [a_finding(name="later", number=9)], {"busy": False})
    save(path, [a_finding(), a_finding(name="also")], {"busy": True})

    held = json.loads(path.read_text())

    assert held["format_version"] == 1
    assert list(held["findings"]) == ["also", "toy", "later"]
    assert [one["busy"] for one in held["findings"].values()] == [True, True, False]
    assert held["findings"]["toy"]["ratio"] == 50.0


def test_the_plot_shows_each_ratio_and_says_what_it_was_taken_with(tmp_path) -> None:
    save(tmp_path / "found.json", [a_finding(), a_finding(name="b<d", bar=51.0)], {"busy": False})

    draw(tmp_path / "found.json", tmp_path / "found.svg")

    drawn = (tmp_path / "found.svg").read_text()
    assert "Software GL, no GPU." in drawn
    assert drawn.count(">50x<") == 2
    assert "b&lt;d" in drawn


def test_numbers_of_a_busy_machine_are_not_drawn(tmp_path) -> None:
    save(tmp_path / "found.json", [a_finding()], {"busy": True})

    with pytest.raises(Refusal, match="not for publication: toy"):
        draw(tmp_path / "found.json", tmp_path / "found.svg")
    with pytest.raises(Refusal, match="no findings in"):
        draw(tmp_path / "gone.json", tmp_path / "found.svg")
    assert not (tmp_path / "found.svg").exists()


@pytest.fixture
def toy(monkeypatch):
    monkeypatch.setattr(Benchmark, "run", lambda self, settings: [a_finding()])


@pytest.mark.parametrize(("load", "more", "busy"), [(0.1, [], False), (3.0, ["--busy"], True)])
def test_the_program_prints_and_keeps_and_marks(
    toy, monkeypatch, capsys, tmp_path, load, more, busy
) -> None:
    monkeypatch.setattr("os.getloadavg", lambda: (load,) * 3)

    code = program.main(["order", "--json", str(tmp_path / "found.json"), *more])

    assert code == 0
    said = capsys.readouterr().out
    assert "toy: 50x" in said
    assert ("not for publication" in said) == busy
    held = json.loads((tmp_path / "found.json").read_text())["findings"]["toy"]
    assert held["busy"] == busy
    assert held["machine"]["cores"] >= 1


@pytest.mark.parametrize(
    ("load", "arguments", "complaint"),
    [
        (3.0, ["order"], "The machine is busy"),
        (0.1, ["ordre"], "Did you mean 'order'"),
        (0.1, ["order", "--rounds", "3"], "at least 5 rounds"),
    ],
)
def test_the_program_refuses_in_a_sentence(
    toy, monkeypatch, capsys, load, arguments, complaint
) -> None:
    monkeypatch.setattr("os.getloadavg", lambda: (load,) * 3)

    assert program.main(arguments) == 1
    assert complaint in capsys.readouterr().err


def a_reading(shade=10, action=0.5):
    picture = np.full((1, 2, 2, 3), shade, np.uint8)
    return {"pictures": packed(picture), "states": [[1.0]], "chunks": [[[action]]]}


def test_two_readers_must_read_the_same_numbers_and_nearly_the_same_pictures() -> None:
    assert picture_error(a_reading(10), a_reading(13), 8.0) == 3.0

    with pytest.raises(Refusal, match=r"chunks that the two read differ by 0\.1"):
        picture_error(a_reading(action=0.5), a_reading(action=0.6), 8.0)
    with pytest.raises(Refusal, match="pictures that the two read differ by 20"):
        picture_error(a_reading(10), a_reading(30), 8.0)


def test_every_benchmark_exists() -> None:
    for name in BENCHMARKS:
        module, _, function = benchmark_named(name).measure.partition(":")
        assert callable(getattr(catalogue.import_module(module), function))
