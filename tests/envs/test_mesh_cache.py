"""Decimated meshes on the disk: used again, never believed when damaged, never necessary."""

import logging
from dataclasses import replace

import numpy as np
import pytest

from tinyvla_gym.envs import mesh_cache
from tinyvla_gym.envs.mesh_cache import cached_surface
from tinyvla_gym.envs.meshes import Decimation, Surface

DECIMATION = Decimation(
    share=0.5, smallest=4, largest=1000, untouched=0, weld_frac=0.0, weld_m=0.001, rounds=1
)
RNG = np.random.default_rng(0)
VERTICES = RNG.normal(size=(60, 3)).astype(np.float32)
FACES = RNG.permuted(np.tile(np.arange(60, dtype=np.int32), (40, 1)), axis=1)[:, :3]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("TINYVLA_CACHE", str(tmp_path))
    mesh_cache._say_once.cache_clear()
    return tmp_path / "meshes"


@pytest.fixture
def decimations(monkeypatch):
    """Counts how often a mesh was really decimated."""
    done = []

    def count(vertices, faces, decimation) -> Surface:
        done.append(decimation)
        return true_decimated(vertices, faces, decimation)

    true_decimated = mesh_cache.decimated
    monkeypatch.setattr(mesh_cache, "decimated", count)
    return done


def same(one: Surface, other: Surface) -> bool:
    return all(a.dtype == b.dtype and np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_the_second_time_a_mesh_is_read_and_not_decimated(folder, decimations) -> None:
    first = cached_surface(VERTICES, FACES, DECIMATION)
    second = cached_surface(VERTICES, FACES, DECIMATION)

    assert same(first, second)
    assert len(decimations) == 1
    assert [path.suffix for path in folder.iterdir()] == [".npz"]  # nothing half-written is left


@pytest.mark.parametrize("change", ["vertices", "faces", "decimation", "version"])
def test_a_mesh_of_another_recipe_is_not_mistaken_for_it(
    folder, decimations, monkeypatch, change
) -> None:
    cached_surface(VERTICES, FACES, DECIMATION)
    vertices, faces, decimation = VERTICES.copy(), FACES.copy(), DECIMATION
    if change == "vertices":
        vertices[0, 0] += 1e-6
    elif change == "faces":
        faces[[0, 1]] = faces[[1, 0]]
    elif change == "decimation":
        decimation = replace(DECIMATION, rounds=2)
    else:
        monkeypatch.setattr(mesh_cache, "CACHE_VERSION", -1)

    cached_surface(vertices, faces, decimation)

    assert len(decimations) == 2


def foreign(path, **changes) -> None:
    """Writes a sound archive whose arrays do not fit together."""
    surface = mesh_cache.decimated(VERTICES, FACES, DECIMATION)
    np.savez(path, **{**surface._asdict(), **changes})


DAMAGE = {
    "empty": lambda path: path.write_bytes(b""),
    "noise": lambda path: path.write_bytes(RNG.bytes(999)),
    "cut short": lambda path: path.write_bytes(path.read_bytes()[:-100]),
    "a flipped bit": lambda path: path.write_bytes(
        path.read_bytes()[:300] + bytes([path.read_bytes()[300] ^ 1]) + path.read_bytes()[301:]
    ),
    "a pickle": lambda path: np.savez(path, vertices=np.array([{}], object)),
    "an array is missing": lambda path: np.savez(path, vertices=VERTICES),
    "indices out of range": lambda path: foreign(path, vertices=VERTICES[:3]),
    "no faces": lambda path: foreign(path, faces=FACES[:0], face_normals=FACES[:0]),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
}


@pytest.mark.parametrize("spoil", DAMAGE.values(), ids=DAMAGE.keys())
def test_a_damaged_mesh_is_made_again_and_that_is_said_once(
    folder, decimations, caplog, spoil
) -> None:
    whole = cached_surface(VERTICES, FACES, DECIMATION)
    (path,) = folder.iterdir()
    spoil(path)
    decimations.clear()

    with caplog.at_level(logging.WARNING):
        again = [cached_surface(VERTICES, FACES, DECIMATION) for _ in range(3)]

    assert all(same(whole, one) for one in again)
    assert len(decimations) == (3 if path.is_dir() else 1)
    assert sum("is damaged;" in record.message for record in caplog.records) == 1
    assert len(list(folder.iterdir())) == 1


def test_without_a_place_to_write_it_works_and_says_so_once(
    tmp_path, monkeypatch, caplog, decimations
) -> None:
    (tmp_path / "a file").write_text("not a folder")
    monkeypatch.setenv("TINYVLA_CACHE", str(tmp_path / "a file"))
    mesh_cache._say_once.cache_clear()

    with caplog.at_level(logging.WARNING):
        one, other = (cached_surface(VERTICES, FACES, DECIMATION) for _ in range(2))

    assert same(one, other)
    assert len(decimations) == 2
    assert sum("cannot be written to" in record.message for record in caplog.records) == 1
