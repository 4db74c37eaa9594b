"""Tests for training/batches.py."""

import sys
from collections import Counter
from dataclasses import dataclass, field, replace
from itertools import chain

import numpy as np
import pytest
import torch
from fakes import INTERFACE
from resident import mapped_bytes
from tiny_models import CONFIG, a_model

from tinyvla_gym.errors import ConfigError
from tinyvla_gym.policies.normalize import Normalizer
from tinyvla_gym.policies.tinyvla.model import Inputs
from tinyvla_gym.training.batches import Batches
from tinyvla_gym.training.config import TrainConfig

LENGTHS = (7, 12, 5)
PLAIN = TrainConfig(model=CONFIG, batch_size=6, shift_px=0, jitter=0.0, shuffle_sentences=False)
MODEL = a_model()


@dataclass
class CountedFrames:
    """Frame t shows t in its pictures, its state and its action."""

    lengths: tuple[int, ...] = LENGTHS
    instructions: tuple[str, ...] = ("open it", "shut it", "open the thing")
    tasks: tuple[str, ...] = ("open", "shut", "open")
    images: dict[str, np.ndarray] = field(init=False)

    def __post_init__(self):
        total = sum(self.lengths)
        count = np.arange(total)
        self.images = {
            one.name: np.tile(
                count.astype(np.uint8)[:, None, None, None], (1, one.height, one.width, 3)
            )
            for one in INTERFACE.cameras
        }
        self.state = self.action = np.tile(count.astype(np.float32)[:, None], (1, 2))
        self.ends = np.cumsum(self.lengths)
        self.starts = self.ends - self.lengths
        self.episode_of = np.repeat(np.arange(len(self.lengths)), self.lengths)


def make(frames=None, config=PLAIN):
    """Batches whose statistics change no number."""
    frames = CountedFrames() if frames is None else frames
    ones = np.ones(2, np.float32)
    plain = Normalizer(
        state_names=INTERFACE.state,
        state_mean=0 * ones,
        state_std=ones,
        action_names=INTERFACE.action,
        action_low=-ones,
        action_high=ones,
    )
    return Batches(frames, [one.name for one in INTERFACE.cameras], plain, MODEL, config)


def frames_of(batch):
    return batch.inputs.state[:, 0].int().tolist()


def same(one, other):
    pairs = zip(
        [*one.inputs.images, one.inputs.words, one.inputs.state, one.actions, one.is_pad],
        [*other.inputs.images, other.inputs.words, other.inputs.state, other.actions, other.is_pad],
        strict=True,
    )
    return all(torch.equal(a, b) for a, b in pairs)


def sentences_of(batch):
    known = {s: MODEL.tokenize([s])[0] for s in CountedFrames().instructions}
    return [
        next(s for s, words in known.items() if torch.equal(words, row))
        for row in batch.inputs.words
    ]


def test_a_batch_is_what_the_model_reads() -> None:
    batch = make().at(0)

    assert [(image.shape, image.dtype) for image in batch.inputs.images] == [
        ((6, 12, 16, 3), torch.uint8),
        ((6, 8, 8, 3), torch.uint8),
    ]
    assert batch.actions.shape == (6, 8, 2)
    assert batch.actions.dtype == batch.inputs.state.dtype == torch.float32
    assert batch.is_pad.shape == (6, 8)
    assert batch.is_pad.dtype == torch.bool
    assert MODEL.loss(batch.inputs, batch.actions, batch.is_pad).isfinite()


def test_the_future_is_the_episodes_own_and_stops_at_its_end() -> None:
    frames = CountedFrames()
    config = replace(PLAIN, foresight_ticks=(1, 3, 100))

    for step in range(4):
        batch = make(config=config).at(step)
        for frame, future in zip(frames_of(batch), batch.future, strict=True):
            last = frames.ends[frames.episode_of[frame]] - 1
            assert future[:, 0].tolist() == [min(frame + ahead, last) for ahead in (1, 3, 100)]


def test_pictures_state_and_sentence_are_of_one_frame() -> None:
    frames = CountedFrames()

    for step in range(4):
        batch = make().at(step)
        shown = frames_of(batch)
        for image in batch.inputs.images:
            assert image[:, 0, 0, 0].tolist() == shown
        told = [frames.instructions[frames.episode_of[frame]] for frame in shown]
        assert sentences_of(batch) == told


def test_a_chunk_goes_on_to_the_end_of_the_episode_and_no_further() -> None:
    frames, seen = CountedFrames(), 0

    for step in range(4):
        batch = make().at(step)
        for frame, chunk, pad in zip(frames_of(batch), batch.actions, batch.is_pad, strict=True):
            last = frames.ends[frames.episode_of[frame]] - 1
            wanted = [min(frame + k, last) for k in range(8)]
            assert chunk[:, 0].round().int().tolist() == wanted
            assert pad.tolist() == [frame + k > last for k in range(8)]
            seen += 1

    assert seen == 24


def test_an_offset_moves_the_chunk_and_pads_before_the_start() -> None:
    frames = CountedFrames()

    batch = make(config=replace(PLAIN, chunk_offset=-1)).at(0)

    for frame, chunk, pad in zip(frames_of(batch), batch.actions, batch.is_pad, strict=True):
        first = frames.starts[frames.episode_of[frame]]
        assert round(chunk[0, 0].item()) == max(frame - 1, first)
        assert pad[0].item() == (frame == first)


def test_actions_and_states_are_normalised() -> None:
    frames = CountedFrames()
    measured = Normalizer.from_data(INTERFACE.state, frames.state, INTERFACE.action, frames.action)

    batch = Batches(frames, ["front", "wrist"], measured, MODEL, PLAIN).at(0)

    shown = batch.inputs.images[0][:, 0, 0, 0].float()
    torch.testing.assert_close(batch.actions[:, 0, 0], 2 * shown / 23 - 1)
    torch.testing.assert_close(batch.inputs.state[:, 0], (shown - 11.5) / frames.state[:, 0].std())


RICH = replace(PLAIN, shift_px=2, jitter=0.2, shuffle_sentences=True)


def test_a_batch_follows_from_seed_and_step_alone() -> None:
    steps = [5, 0, 17, 5, 4, 0]
    wandering = make(config=RICH)

    for step in steps:
        assert same(wandering.at(step), make(config=RICH).at(step))


def test_other_steps_and_other_seeds_give_other_batches() -> None:
    batches = make(config=RICH)

    assert not same(batches.at(0), batches.at(1))
    assert not same(batches.at(0), batches.at(4))  # the same place in the next epoch
    assert not same(batches.at(0), make(config=replace(RICH, seed=1)).at(0))


def test_torchs_and_numpys_global_generators_have_no_say() -> None:
    first = make(config=RICH).at(3)
    torch.manual_seed(1)
    np.random.seed(1)

    assert same(first, make(config=RICH).at(3))


@pytest.mark.parametrize("parts", [1, 2, 3, 6])
def test_parts_put_together_are_the_batch_augmentation_and_sentences_too(parts) -> None:
    batches = make(config=RICH)
    whole = batches.at(2)

    found = [batches.at(2, part=part, parts=parts) for part in range(parts)]

    together = replace(
        whole,
        inputs=Inputs(
            images=[
                torch.cat(images) for images in zip(*(b.inputs.images for b in found), strict=True)
            ],
            words=torch.cat([batch.inputs.words for batch in found]),
            state=torch.cat([batch.inputs.state for batch in found]),
        ),
        actions=torch.cat([batch.actions for batch in found]),
        is_pad=torch.cat([batch.is_pad for batch in found]),
    )
    assert same(together, whole)
    assert sum(batch.share for batch in found) == pytest.approx(1)
    assert [(batch.part, batch.parts) for batch in found] == [(i, parts) for i in range(parts)]


def test_a_part_weighs_as_much_as_it_has_actions_that_count() -> None:
    for part in range(3):
        batch = make().at(1, part=part, parts=3)

        whole = (~make().at(1).is_pad).sum()
        assert batch.share == pytest.approx(((~batch.is_pad).sum() / whole).item())


def test_data_that_is_too_small_for_its_parts_is_refused() -> None:
    with pytest.raises(ConfigError, match="24 frames, less than a batch, cannot be cut into 5"):
        make(config=replace(PLAIN, batch_size=50, parts=5))


@pytest.mark.parametrize("batch_size", [1, 6, 8, 24])
def test_every_frame_is_seen_once_per_epoch(batch_size) -> None:
    batches, per_epoch = make(config=replace(PLAIN, batch_size=batch_size)), 24 // batch_size

    orders = [
        list(chain(*(frames_of(batches.at(e * per_epoch + i)) for i in range(per_epoch))))
        for e in range(2)
    ]

    assert [sorted(order) for order in orders] == [list(range(24))] * 2
    assert batch_size == 24 or orders[0] != orders[1]


def test_a_rest_that_fills_no_batch_waits_for_another_epoch() -> None:
    batches = make(config=replace(PLAIN, batch_size=7))  # 3 batches, 3 frames left
    seen = Counter()

    for epoch in range(20):
        frames = list(chain(*(frames_of(batches.at(3 * epoch + i)) for i in range(3))))
        assert len(frames) == len(set(frames)) == 21
        seen.update(frames)

    assert set(seen) == set(range(24))
    assert min(seen.values()) >= 12


def test_few_frames_make_smaller_batches() -> None:
    batches = make(config=replace(PLAIN, batch_size=100))

    assert sorted(frames_of(batches.at(7))) == list(range(24))


def test_sentences_are_shuffled_within_their_task() -> None:
    batches = make(config=replace(PLAIN, shuffle_sentences=True))
    told = {0: set(), 1: set(), 2: set()}

    for step in range(24):
        batch = batches.at(step)
        for frame, sentence in zip(frames_of(batch), sentences_of(batch), strict=True):
            told[int(CountedFrames().episode_of[frame])].add(sentence)

    assert told == {
        0: {"open it", "open the thing"},
        1: {"shut it"},
        2: {"open it", "open the thing"},
    }


def test_sentences_of_unknown_tasks_are_left_alone() -> None:
    """Episodes without a task may be of different ones."""
    frames = CountedFrames(tasks=("", "", ""))
    batches = make(frames, replace(PLAIN, shuffle_sentences=True))

    for step in range(8):
        batch = batches.at(step)
        told = [frames.instructions[frames.episode_of[frame]] for frame in frames_of(batch)]
        assert sentences_of(batch) == told


def test_frames_that_are_mapped_from_a_read_only_file_will_do(tmp_path) -> None:
    frames = CountedFrames()
    for name in list(frames.images):
        np.save(tmp_path / f"{name}.npy", frames.images[name])
        frames.images[name] = np.load(tmp_path / f"{name}.npy", mmap_mode="r")
    frames.state.flags.writeable = False

    assert same(make(frames).at(1), make().at(1))


def test_an_epoch_shows_a_repeated_tasks_frames_that_often():
    config = replace(PLAIN, batch_size=1, task_repeats={"open": 3})
    batches = make(config=config)
    shown = 3 * (7 + 5) + 12  # the first and the last episode open, the second shuts
    for epoch in range(2):
        steps = range(epoch * shown, (epoch + 1) * shown)
        seen = Counter(chain.from_iterable(frames_of(batches.at(step)) for step in steps))
        assert [seen[frame] for frame in range(24)] == [3] * 7 + [1] * 12 + [3] * 5


def test_repeating_a_task_that_the_data_lacks_is_refused():
    with pytest.raises(ConfigError, match=r"no episode of close, which task_repeats names"):
        make(config=replace(PLAIN, task_repeats={"open": 2, "close": 2}))


@pytest.mark.skipif(sys.platform != "linux", reason="reads what Linux tells of a process")
def test_pictures_that_were_read_are_not_held(tmp_path):
    frames, camera = CountedFrames(), INTERFACE.cameras[0].name
    shape = (len(frames.state), 512, 512, 3)  # 19 MB
    np.save(tmp_path / "large.npy", np.full(shape, 7, np.uint8))
    frames.images[camera] = large = np.load(tmp_path / "large.npy", mmap_mode="r")
    batches = make(frames)
    batches.at(0)

    before = mapped_bytes()
    for step in range(8):
        assert int(batches.at(step).inputs.images[0].min()) == 7

    assert mapped_bytes() - before < 0.2 * large.nbytes
