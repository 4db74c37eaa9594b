"""Tests for envs/meshes.py."""

# pyright: reportAttributeAccessIssue=false
# (mujoco ships no types)

from dataclasses import replace

import mujoco
import numpy as np
import pytest

from tinyvla_gym.envs.meshes import (
    Decimation,
    creased_normals,
    decimated,
    large_meshes,
    read_mesh,
    weld,
    write_mesh,
)

DECIMATION = Decimation(
    share=0.1, smallest=50, largest=120, untouched=60, weld_frac=0.0, weld_m=0.002, rounds=2
)


def sphere(rings: int = 20) -> tuple[np.ndarray, np.ndarray]:
    """A ball of 10 cm as CAD exports it: every triangle with three vertices of its own."""
    polar, around = np.meshgrid(
        np.linspace(0, np.pi, rings), np.linspace(0, 2 * np.pi, 2 * rings), indexing="ij"
    )
    x, y, z = np.sin(polar) * np.cos(around), np.sin(polar) * np.sin(around), np.cos(polar)
    grid = 0.1 * np.stack([x, y, z], -1)
    a, b, c, d = grid[:-1, :-1], grid[1:, :-1], grid[1:, 1:], grid[:-1, 1:]
    corners = np.concatenate([np.stack(t, 2).reshape(-1, 3) for t in ((a, b, c), (a, c, d))])
    return corners.astype(np.float32), np.arange(len(corners), dtype=np.int32).reshape(-1, 3)


def a_model(vertices: np.ndarray, faces: np.ndarray) -> mujoco.MjModel:
    spec = mujoco.MjSpec()
    spec.add_mesh(name="ball", uservert=vertices.ravel(), userface=faces.ravel())
    spec.worldbody.add_geom(type=mujoco.mjtGeom.mjGEOM_MESH, meshname="ball")
    return spec.compile()


@pytest.mark.parametrize(
    ("faces", "kept"), [(61, 50), (500, 50), (1000, 100), (1200, 120), (50_000, 120)]
)
def test_a_share_of_the_faces_is_kept_within_limits(faces: int, kept: int) -> None:
    assert DECIMATION.target(faces) == kept


def test_a_decimated_ball_is_still_a_ball() -> None:
    vertices, faces = sphere()

    surface = decimated(vertices, faces, DECIMATION)

    assert len(surface.faces) <= 160 < len(faces) / 5
    radii_m = np.linalg.norm(surface.vertices, axis=1)
    np.testing.assert_allclose(radii_m, 0.1, atol=0.01)
    outwards = surface.vertices[surface.faces].mean(1)
    normals = surface.normals[surface.face_normals].mean(1)
    assert (np.einsum("fi,fi->f", outwards, normals) > 0).all()


def test_welding_joins_what_is_near_and_drops_faces_that_collapse() -> None:
    vertices = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 0.01], [0, 1, 0.01]], np.float32)
    faces = np.array([[0, 1, 2], [3, 1, 4], [0, 3, 1]], np.int32)

    few, left = weld(vertices, faces, tolerance_m=0.1)

    assert (len(few), len(left)) == (3, 1)


def test_gentle_edges_are_shaded_smoothly_and_creases_sharply() -> None:
    def fold(height: float) -> tuple[np.ndarray, np.ndarray]:
        points = np.array([[0, 0, 0], [0, 1, 0], [1, 0, height], [-1, 0, height]], np.float32)
        return points, np.array([[0, 2, 1], [0, 1, 3]], np.int32)

    gentle, _ = creased_normals(*fold(0.1))
    sharp, _ = creased_normals(*fold(2.0))

    np.testing.assert_allclose(np.linalg.norm([*gentle, *sharp], axis=1), 1, atol=1e-2)
    assert any(np.allclose(normal, [0, 0, 1], atol=1e-2) for normal in gentle)
    assert not any(np.allclose(normal, [0, 0, 1], atol=1e-2) for normal in sharp)


def test_small_meshes_are_left_alone() -> None:
    model = a_model(*sphere())

    assert large_meshes(model, DECIMATION) == [0]
    assert large_meshes(model, replace(DECIMATION, untouched=10_000)) == []
    assert large_meshes(model, replace(DECIMATION, smallest=10_000)) == []


def test_a_surface_without_room_is_not_written() -> None:
    model = a_model(*sphere(rings=5))
    vertices, faces = read_mesh(model, 0)
    larger = decimated(*sphere(), replace(DECIMATION, share=1.0, largest=9999))

    write_mesh(model, 0, larger)

    for before, after in zip((vertices, faces), read_mesh(model, 0), strict=True):
        np.testing.assert_array_equal(before, after)


def test_what_is_written_is_what_is_read() -> None:
    model = a_model(*sphere())
    vertices, faces = read_mesh(model, 0)
    surface = decimated(vertices, faces, DECIMATION)

    write_mesh(model, 0, surface)

    for wanted, found in zip(surface[:2], read_mesh(model, 0), strict=True):
        np.testing.assert_array_equal(wanted, found)
