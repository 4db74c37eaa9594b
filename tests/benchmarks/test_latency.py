"""Benchmarks against the released code: what is refused, with subjects that only pretend."""

import numpy as np
import pytest

from benchmarks import latency, learning, presets
from benchmarks.latency import Plans, compared
from benchmarks.refusal import Refusal
from benchmarks.settings import Settings

CHUNKS = {seed: np.full((2, 3), float(seed)).tolist() for seed in range(3)}


class Pretender:
    """Answers each verb with what it was told to."""

    def __init__(self, **answers):
        self.answers = answers
        self.asked = []

    def ask(self, verb, **arguments):
        self.asked.append((verb, arguments))
        return self.answers[verb]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


@pytest.fixture
def clone(tmp_path):
    (tmp_path / "eval_real_franka.py").touch()
    return tmp_path


def test_the_released_code_must_be_where_it_is_said_to_be(clone, tmp_path) -> None:
    assert Settings(released=clone).released_code() == clone
    for place in (None, tmp_path / "elsewhere"):
        with pytest.raises(Refusal, match="name a clone of"):
            Settings(released=place).released_code()


def test_equal_plans_pass_and_others_are_told_how_far_apart_they_are() -> None:
    found = compared(CHUNKS, CHUNKS, "torch")

    assert found["largest difference"] == 0
    assert found["between plans for different pictures"] == pytest.approx(4 / 3)


@pytest.mark.parametrize(("form", "apart"), [("torch", 2e-4), ("int8", 0.2), ("torch", np.nan)])
def test_plans_that_differ_are_refused(form, apart) -> None:
    ours = {seed: (np.array(chunk) + apart).tolist() for seed, chunk in CHUNKS.items()}

    with pytest.raises(Refusal, match=r"apart, where at most .* is the same"):
        compared(ours, CHUNKS, form)


def test_another_number_of_weights_is_refused(clone, tmp_path) -> None:
    peer, ours = Pretender(build=5), Pretender(read=4)

    with pytest.raises(Refusal, match="has 5 weights, ours 4"):
        latency.prepare(ours, peer, Settings(released=clone), tmp_path, "torch")


def test_each_plan_is_kept_beside_its_time() -> None:
    plans = Plans()

    assert plans.turn(Pretender(plan={"seconds": 2.0, "chunk": [1]}), "ours", 7) == 2.0
    assert plans.chunks["ours"] == {7: [1]}


@pytest.mark.parametrize(
    ("learning_weights", "loss", "complaint"),
    [(4, 1.0, "Not as many weights learn"), (5, 1.1, "first losses are 1.1 and 1")],
)
def test_steps_that_are_not_the_same_are_refused(
    learning_weights, loss, complaint, tmp_path
) -> None:
    ours = Pretender(read=9, adapt=learning_weights, loss=loss)
    peer = Pretender(build=9, adapt=5, learn={"loss": 1.0})

    with pytest.raises(Refusal, match=complaint):
        learning.prepare(ours, peer, tmp_path, tmp_path / "weights")


@pytest.mark.parametrize("finite", [True, False])
def test_every_preset_is_tried_and_none_may_blow_up(finite, monkeypatch) -> None:
    tried = {"finite": finite, "peak_gb": 3.0, "plan_s": 1.0}
    subject = lambda: Pretender(one_of_each=dict(tried), versions={})  # noqa: E731
    monkeypatch.setattr(presets.peers, "learners", subject)

    if not finite:
        with pytest.raises(Refusal, match="of nano is not finite"):
            presets.measure(Settings())
        return
    found = presets.measure(Settings())
    assert [one.name for one in found] == [f"preset-{name}" for name in presets.PRESETS]
    assert all(one.met and one.value == 3.0 for one in found)
