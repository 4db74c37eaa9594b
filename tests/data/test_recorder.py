import numpy as np
import pytest

from tinyvla_gym.data.recorder import Recorder
from tinyvla_gym.errors import ConfigError
from tinyvla_gym.events import Outcome, Step


class Shelf:
    """Keeps episodes in a list."""

    def __init__(self):
        self.episodes = []

    def add(self, episode):
        self.episodes.append(episode)


def seen(tick):
    picture = np.full((4, 4, 3), tick, np.uint8)
    return {"image_near": picture, "state": np.float32([tick, 0.5]), "instruction": "reach"}


def step(tick, **facts):
    known = {
        "observation": seen(tick),
        "next_observation": seen(tick + 1),
        "asked": np.float32([tick]),
        "sent": np.float32([tick + 0.25]),
        "label": np.float32([tick + 0.5]),
        "reward": float(tick),
        "terminated": tick == 2,
        "truncated": False,
        "info": {"success": tick == 2},
        "chunk_start": True,
        "source": "expert",
    }
    return Step(**{**known, **facts})


def outcome(*, success=True):
    return Outcome(
        seed=17,
        instruction="reach",
        steps=3,
        episode_return=3.0,
        success=success,
        success_step=3 if success else None,
    )


def play(recorder, steps, ending):
    recorder.on_reset(seen(0), {})
    for one in steps:
        recorder.on_step(one)
    recorder.on_end(ending)


def test_three_ticks_become_three_frames():
    shelf = Shelf()

    play(Recorder(shelf, task="reach"), [step(0), step(1), step(2)], outcome())

    (episode,) = shelf.episodes
    assert len(episode) == 3
    assert episode.images["near"][:, 0, 0, 0].tolist() == [0, 1, 2]
    assert episode.state.tolist() == [[0, 0.5], [1, 0.5], [2, 0.5]]
    assert episode.action.tolist() == [[0.5], [1.5], [2.5]]
    assert episode.sent_action.tolist() == [[0.25], [1.25], [2.25]]
    assert episode.reward.tolist() == [0, 1, 2]
    assert episode.success.tolist() == [False, False, True]
    assert (episode.seed, episode.instruction, episode.task) == (17, "reach", "reach")
    assert episode.source == "expert"


def test_several_sources_are_told_tick_by_tick():
    shelf = Shelf()

    play(Recorder(shelf), [step(0), step(1, source="human"), step(2)], outcome())

    (episode,) = shelf.episodes
    assert episode.source == "expert 1, human 1, expert 1"
    assert episode.sources == ("expert", "human", "expert")


def test_a_broken_off_episode_is_dropped_and_does_not_leak_into_the_next():
    shelf = Shelf()
    recorder = Recorder(shelf)

    play(recorder, [step(0), step(1)], None)
    play(recorder, [step(0), step(1), step(2)], outcome())

    assert [len(episode) for episode in shelf.episodes] == [3]


def test_failures_are_dropped_unless_they_are_wanted():
    picky, patient = Shelf(), Shelf()

    play(Recorder(picky), [step(0)], outcome(success=False))
    play(Recorder(patient, keep_failures=True), [step(0)], outcome(success=False))

    assert len(picky.episodes) == 0
    assert len(patient.episodes) == 1


def test_an_env_that_reuses_its_buffers_is_recorded_rightly():
    shelf = Shelf()
    recorder = Recorder(shelf)
    buffer = seen(0)

    recorder.on_reset(buffer, {})
    for tick in range(3):
        buffer["image_near"][:] = tick
        recorder.on_step(step(tick, observation=buffer))
    recorder.on_end(outcome())

    assert shelf.episodes[0].images["near"][:, 0, 0, 0].tolist() == [0, 1, 2]


def test_recording_changes_nothing():
    plain, recorded = [step(0), step(1), step(2)], [step(0), step(1), step(2)]

    play(Recorder(Shelf()), recorded, outcome())

    for before, after in zip(plain, recorded, strict=True):
        np.testing.assert_equal(vars(after), vars(before))


def test_a_tick_without_its_picture_is_refused():
    recorder = Recorder(Shelf())

    assert recorder.needs_images
    with pytest.raises(ConfigError, match="needs_images"):
        recorder.on_step(step(0, observation=None))
