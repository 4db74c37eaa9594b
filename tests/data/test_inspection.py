import numpy as np
import pytest

from tinyvla_gym.data.inspection import findings, summary
from tinyvla_gym.data.lerobot import Dataset


@pytest.fixture
def said(start_writer, make_episode):
    """Records episodes and returns what is found about them: kind and sentence."""

    def look(*episodes, **settings):
        with start_writer(**settings) as writer:
            for episode in episodes:
                writer.add(episode)
        return {one.kind: one.says for one in findings(Dataset(writer.folder))}

    return look


def test_a_sound_dataset_raises_no_finding(said, make_episode):
    assert said(*(make_episode(seed, ticks=30) for seed in range(3))) == {}


def test_an_entry_that_never_changes_is_found(said, make_episode):
    still = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    still[:, 1] = 0.25

    assert said(make_episode(0, state=still)) == {
        "constant": "observation.state entry y_m is 0.25 in every frame"
    }


def test_a_value_far_outside_the_rest_is_found_with_its_episode(said, make_episode):
    wild = np.random.default_rng(0).uniform(-1, 1, (300, 2)).astype(np.float32)
    wild[7, 0] = 99
    calm = make_episode(0, ticks=300)

    found = said(calm, make_episode(1, ticks=300, action=wild))

    assert found["outlier"].startswith("action entry dx_m reaches 99, and 98 % of the frames")
    assert found["outlier"].endswith("(episode 1)")


def test_a_sentence_that_two_tasks_share_is_found(said, make_episode):
    found = said(make_episode(0, task="push"), make_episode(1, task="push-back"))

    assert found == {"sentence": '"open the drawer" is said in 2 tasks: push, push-back'}


def test_an_episode_that_was_recorded_twice_is_found(said, make_episode):
    found = said(make_episode(3), make_episode(4), make_episode(3))

    assert found == {"twin": "2 episodes share task and seed with another (episode 0, 2)"}


@pytest.mark.parametrize("camera", ["near", "wide"])
def test_a_camera_that_stands_still_is_found(said, make_episode, film_interface, camera):
    images = dict(make_episode(1, cameras=film_interface).images)
    images[camera] = np.repeat(images[camera][:1], 5, axis=0)

    found = said(
        make_episode(0, cameras=film_interface),
        make_episode(1, cameras=film_interface, images=images),
        shown=film_interface,
    )

    says = f"camera {camera} does not change while the state does (episode 1)"
    assert found == {"frozen": says}


def test_nothing_moves_in_a_picture_when_nothing_moves_at_all(said, make_episode):
    images = {"near": np.zeros((5, 8, 6, 3), np.uint8)}

    found = said(make_episode(0, images=images, state=np.ones((5, 3), np.float32)))

    assert "frozen" not in found


def test_a_summary_counts(dataset_folder):
    facts = summary(Dataset(dataset_folder))

    assert (facts["episodes"], facts["solved"], facts["frames"]) == (3, 3, 15)
    assert facts["duration_s"] == 0.75
    assert facts["cameras"] == {"near": {"height": 8, "width": 6, "kept_as": "png"}}
    assert facts["tasks"]["drawer-open"] == {
        "episodes": 2,
        "solved": 2,
        "mean_frames": 4.5,
        "sentences": 1,
    }
