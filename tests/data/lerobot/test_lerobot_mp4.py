from fractions import Fraction

import av
import numpy as np
import pytest

from tinyvla_gym.data.lerobot.coding import Coding
from tinyvla_gym.data.lerobot.mp4 import join_mp4, read_mp4, write_mp4
from tinyvla_gym.data.lerobot.part import Footage
from tinyvla_gym.errors import DatasetError


def grey(*levels):
    return np.stack([np.full((32, 48, 3), level, np.uint8) for level in levels])


def part(path, frames, start_s=0.0):
    return Footage(path=path, start_s=start_s, frames=frames)


def times_s(path):
    with av.open(str(path)) as film:
        stream = film.streams.video[0]
        return [Fraction(frame.pts) * stream.time_base for frame in film.decode(stream)]


def levels(images):
    return images.mean(axis=(1, 2, 3)).round().tolist()


@pytest.mark.parametrize("fps", [7, 20, 30, 80])
def test_frames_lie_at_exact_times(tmp_path, fps):
    write_mp4(tmp_path / "a.mp4", grey(*range(0, 90, 10)), fps, Coding())

    assert times_s(tmp_path / "a.mp4") == [Fraction(index, fps) for index in range(9)]


@pytest.mark.parametrize("fps", [7, 20, 80])
def test_joined_films_lie_behind_one_another(tmp_path, fps):
    write_mp4(tmp_path / "a.mp4", grey(0, 50, 100), fps, Coding())
    write_mp4(tmp_path / "b.mp4", grey(200, 150, 100, 50), fps, Coding())

    join_mp4(tmp_path / "c.mp4", [part(tmp_path / "a.mp4", 3), part(tmp_path / "b.mp4", 4)], fps)

    assert times_s(tmp_path / "c.mp4") == [Fraction(index, fps) for index in range(7)]
    second = read_mp4(tmp_path / "c.mp4", start_s=3 / fps, frames=4, fps=fps)
    np.testing.assert_allclose(levels(second), [200, 150, 100, 50], atol=2)


@pytest.mark.parametrize("start", range(8))
def test_any_part_can_be_read(tmp_path, start):
    write_mp4(tmp_path / "a.mp4", grey(*range(0, 180, 20)), 20, Coding())

    part = read_mp4(tmp_path / "a.mp4", start_s=start / 20, frames=2, fps=20)

    np.testing.assert_allclose(levels(part), [20 * start, 20 * start + 20], atol=2)


@pytest.mark.parametrize("codec", ["h264", "av1"])
def test_parts_of_films_can_be_joined_without_coding_them_again(tmp_path, codec):
    coding = Coding(codec=codec)
    for name, shades in (("a", (0, 50)), ("b", (200, 150, 100)), ("c", (20, 40))):
        write_mp4(tmp_path / f"{name}.mp4", grey(*shades), 20, coding)
    parts = [part(tmp_path / "a.mp4", 2), part(tmp_path / "b.mp4", 3), part(tmp_path / "c.mp4", 2)]
    join_mp4(tmp_path / "all.mp4", parts, 20)
    whole = read_mp4(tmp_path / "all.mp4", start_s=0, frames=7, fps=20)

    again = [part(tmp_path / "all.mp4", 2, 5 / 20), part(tmp_path / "all.mp4", 3, 2 / 20)]
    join_mp4(tmp_path / "some.mp4", again, 20)

    assert times_s(tmp_path / "some.mp4") == [Fraction(index, 20) for index in range(5)]
    some = read_mp4(tmp_path / "some.mp4", start_s=0, frames=5, fps=20)
    np.testing.assert_array_equal(some, whole[[5, 6, 2, 3, 4]])


def test_a_part_that_begins_between_key_frames_is_refused(tmp_path):
    still = np.random.default_rng(0).integers(0, 256, (32, 48, 3), dtype=np.uint8)
    write_mp4(tmp_path / "a.mp4", np.stack([still] * 4), 20, Coding(key_every=4))

    with pytest.raises(DatasetError, match="no key frame"):
        join_mp4(tmp_path / "b.mp4", [part(tmp_path / "a.mp4", 2, 2 / 20)], 20)


def test_films_that_are_coded_otherwise_are_not_joined(tmp_path):
    write_mp4(tmp_path / "a.mp4", grey(0, 50), 20, Coding())
    write_mp4(tmp_path / "b.mp4", grey(0, 50), 20, Coding(codec="av1"))

    with pytest.raises(DatasetError, match=r"b\.mp4.*coded otherwise"):
        join_mp4(tmp_path / "c.mp4", [part(tmp_path / "a.mp4", 2), part(tmp_path / "b.mp4", 2)], 20)


def test_a_part_beyond_the_end_is_refused(tmp_path):
    write_mp4(tmp_path / "a.mp4", grey(0, 50, 100), 20, Coding())

    with pytest.raises(ValueError, match="it has 1 of 2 frames"):
        read_mp4(tmp_path / "a.mp4", start_s=0.1, frames=2, fps=20)


def test_a_damaged_part_is_named_when_joining(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"nothing like a film")

    with pytest.raises(DatasetError, match=r"a\.mp4"):
        join_mp4(tmp_path / "c.mp4", [part(tmp_path / "a.mp4", 3)], 20)
