import json
import subprocess
import sys

import numpy as np
import pytest

from tinyvla_gym.data.cache import open_cache
from tinyvla_gym.data.lerobot import Dataset
from tinyvla_gym.errors import ConfigError, OutputError
from tinyvla_gym.look import Look


@pytest.fixture
def root(tmp_path):
    return tmp_path / "caches"


def caches(root):
    """What lies under a root, but for the locks."""
    return [path.name for path in root.iterdir() if not path.name.endswith(".lock")]


def watched(folder, root):
    """Opens a cache; says how many episodes had to be decoded."""
    decoded = []
    cache = open_cache(
        folder, cache_root=root, progress=lambda done, total: decoded.append((done, total))
    )
    return cache, decoded


def test_the_arrays_hold_every_frame_of_the_dataset(dataset_folder, root):
    dataset = Dataset(dataset_folder)
    episodes = [dataset.episode(index) for index in range(3)]

    cache = open_cache(dataset_folder, cache_root=root)

    for name in ("state", "action", "sent_action"):
        joined = np.concatenate([getattr(one, name) for one in episodes])
        np.testing.assert_array_equal(getattr(cache, name), joined)
    joined = np.concatenate([one.images["near"] for one in episodes])
    np.testing.assert_array_equal(cache.images["near"], joined)
    assert cache.starts.tolist() == [0, 4, 10]
    assert cache.ends.tolist() == [4, 10, 15]
    assert cache.episode_of.tolist() == [0] * 4 + [1] * 6 + [2] * 5
    assert cache.instructions == ("open the drawer", "reach the ball", "open the drawer")
    assert cache.tasks == ("drawer-open", "reach", "drawer-open")
    assert cache.seeds == (0, 1, 2)


def test_the_arrays_are_mapped_and_read_only(dataset_folder, root):
    cache = open_cache(dataset_folder, cache_root=root)

    assert isinstance(cache.images["near"], np.memmap)
    assert not cache.images["near"].flags.writeable


def test_a_second_opening_decodes_nothing(dataset_folder, root):
    _, first = watched(dataset_folder, root)
    _, second = watched(dataset_folder, root)

    assert first == [(1, 3), (2, 3), (3, 3)]
    assert second == []


def test_the_place_follows_the_environment_variable(dataset_folder, tmp_path, monkeypatch):
    monkeypatch.setenv("TINYVLA_CACHE", str(tmp_path / "elsewhere"))

    cache = open_cache(dataset_folder)

    assert cache.folder.parent == tmp_path / "elsewhere"


def test_a_dataset_that_changed_gets_a_cache_of_its_own(dataset_folder, root):
    old, _ = watched(dataset_folder, root)
    facts = json.loads((dataset_folder / "meta/tinyvla_gym.json").read_text())
    (dataset_folder / "meta/tinyvla_gym.json").write_text(json.dumps({**facts, "profile": "new"}))

    new, decoded = watched(dataset_folder, root)

    assert new.fingerprint != old.fingerprint
    assert len(decoded) == 3


def test_a_moved_dataset_keeps_its_cache(dataset_folder, root):
    watched(dataset_folder, root)
    moved = dataset_folder.rename(dataset_folder.with_name("moved"))

    _, decoded = watched(moved, root)

    assert decoded == []


@pytest.fixture
def two_cameras(film_interface, record):
    """A small picture, and a film of 168 x 176 px."""
    return record("two", range(3), shown=film_interface)


def test_large_pictures_can_be_kept_as_a_model_looks_at_them(two_cameras, root):
    look = Look(px=40, middle_px=160)
    whole = open_cache(two_cameras, cache_root=root)

    small = open_cache(two_cameras, look=look, cache_root=root)

    assert small.images["wide"].shape == (len(whole.state), 40, 40, 3)
    np.testing.assert_array_equal(small.images["wide"], look.reduce(whole.images["wide"]))
    np.testing.assert_array_equal(small.images["near"], whole.images["near"])
    np.testing.assert_array_equal(small.action, whole.action)


def test_each_look_has_a_cache_of_its_own(two_cameras, root):
    looks = (None, Look(px=44), Look(px=40, middle_px=160), Look(px=80, middle_px=160))
    caches = [open_cache(two_cameras, look=look, cache_root=root) for look in looks]

    again = [open_cache(two_cameras, look=look, cache_root=root) for look in looks]

    assert len({cache.folder for cache in caches}) == 4
    assert len({cache.fingerprint for cache in caches}) == 4
    assert [cache.fingerprint for cache in again] == [cache.fingerprint for cache in caches]


def test_a_look_that_changes_no_picture_shares_the_plain_cache(dataset_folder, root):
    watched(dataset_folder, root)
    decoded = []

    open_cache(
        dataset_folder,
        look=Look(px=8),
        cache_root=root,
        progress=lambda *facts: decoded.append(facts),
    )

    assert decoded == []


def test_a_look_that_does_not_fit_the_pictures_is_refused(two_cameras, root):
    with pytest.raises(ConfigError, match="168 x 176 px, cannot be reduced to look_px=50"):
        open_cache(two_cameras, look=Look(px=50), cache_root=root)

    assert not root.exists()


def cut_short(folder):
    path = folder / "state.npy"
    path.write_bytes(path.read_bytes()[:-4])


def lose_a_file(folder):
    (folder / "images_near.npy").unlink()


def garble_a_header(folder):
    path = folder / "action.npy"
    path.write_bytes(b"\0" * 8 + path.read_bytes()[8:])


def change_a_type(folder):
    state = np.load(folder / "state.npy")
    np.save(folder / "state.npy", state.view(np.int32))


def flip_one_bit(folder):
    path = folder / "images_near.npy"
    content = bytearray(path.read_bytes())
    content[-10] ^= 4
    path.write_bytes(content)


def take_for_another(folder):
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, "fingerprint": "0" * 64}))


def garble_the_manifest(folder):
    (folder / "manifest.json").write_text("{")


def forget_the_version(folder):
    manifest = json.loads((folder / "manifest.json").read_text())
    del manifest["version"]
    (folder / "manifest.json").write_text(json.dumps(manifest))


def forget_the_files(folder):
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, "files": []}))


@pytest.mark.parametrize(
    "spoil",
    [
        cut_short,
        lose_a_file,
        garble_a_header,
        change_a_type,
        flip_one_bit,
        take_for_another,
        garble_the_manifest,
        forget_the_version,
        forget_the_files,
    ],
)
def test_a_spoilt_cache_is_built_again(dataset_folder, root, spoil):
    whole, _ = watched(dataset_folder, root)
    state = np.array(whole.state)
    spoil(whole.folder)

    again, decoded = watched(dataset_folder, root)

    assert len(decoded) == 3
    np.testing.assert_array_equal(again.state, state)


def test_an_interrupted_build_leaves_nothing(dataset_folder, root):
    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        open_cache(dataset_folder, cache_root=root, progress=stop)

    assert caches(root) == []


def test_a_root_that_cannot_be_written_is_named(dataset_folder, tmp_path):
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(OutputError, match="Cannot write to"):
        open_cache(dataset_folder, cache_root=tmp_path / "file" / "caches")


def test_a_disk_that_is_too_small_is_said_beforehand(dataset_folder, root, monkeypatch):
    monkeypatch.setattr("tinyvla_gym.data.arrays._free_bytes", lambda folder: 10)

    with pytest.raises(OutputError, match="TINYVLA_CACHE"):
        open_cache(dataset_folder, cache_root=root)

    assert caches(root) == []


def test_a_cache_that_was_only_copied_is_used(dataset_folder, root):
    cache, _ = watched(dataset_folder, root)
    for path in cache.folder.glob("*.npy"):
        path.touch()

    _, decoded = watched(dataset_folder, root)

    assert decoded == []


OPEN_IT = """
import sys
from tinyvla_gym.data.cache import open_cache
decoded = []
cache = open_cache(sys.argv[1], cache_root=sys.argv[2], progress=lambda *one: decoded.append(one))
print(len(decoded), int(cache.images["near"].sum()))
"""


def test_of_processes_that_open_a_cache_at_once_one_builds_it(dataset_folder, root):
    command = [sys.executable, "-c", OPEN_IT, str(dataset_folder), str(root)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]

    answers = [process.communicate()[0].split() for process in running]

    assert sorted(decoded for decoded, _ in answers) == ["0", "0", "3"]
    assert len({total for _, total in answers}) == 1
