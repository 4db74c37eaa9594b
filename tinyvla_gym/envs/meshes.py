"""Decimated visual meshes, written into a copy of a model so that physics stays untouched."""

# pyright: reportAttributeAccessIssue=false, reportAssignmentType=false, reportArgumentType=false
# (mujoco ships no types, fast_simplification's are wrong)

from dataclasses import dataclass
from typing import NamedTuple

import fast_simplification
import mujoco
import numpy as np
from numpy.typing import NDArray

CREASE_COSINE = 0.7
"""Faces that meet at a sharper angle than this are shaded as separate surfaces."""


@dataclass(frozen=True, kw_only=True)
class Decimation:
    """How many triangles to keep.

    Attributes:
        share: Part of a mesh's faces to keep.
        smallest: No mesh is decimated below this many faces.
        largest: None keeps more than this, where that can be helped.
        untouched: Meshes of at most this many faces, or of at most ``smallest``, are left alone.
        weld_frac: Vertices closer than this part of the mesh's size become one first; an
            unwelded mesh falls apart when it is decimated.
        weld_m: The same as a length [m]; the larger of both counts.
        rounds: How often to simplify; one round may stop above its target.
    """

    share: float
    smallest: int
    largest: int
    untouched: int
    weld_frac: float
    weld_m: float
    rounds: int

    def target(self, faces: int) -> int:
        """Returns how many of so many faces to keep."""
        return min(max(self.smallest, round(self.share * faces)), max(self.smallest, self.largest))


class Surface(NamedTuple):
    """A mesh for drawing.

    Attributes:
        vertices: Positions [m], float32, shape (V, 3).
        faces: Indices of three vertices each, int32, shape (F, 3).
        normals: Distinct unit normals, float32, shape (M, 3).
        face_normals: Indices of three normals each, int32, shape (F, 3).
    """

    vertices: NDArray[np.float32]
    faces: NDArray[np.int32]
    normals: NDArray[np.float32]
    face_normals: NDArray[np.int32]


def large_meshes(model: mujoco.MjModel, decimation: Decimation) -> list[int]:
    """Indices of the meshes that are to be decimated; textured ones are left alone."""
    least = max(decimation.smallest, decimation.untouched)
    return [
        mesh
        for mesh in range(model.nmesh)
        if model.mesh_facenum[mesh] > least and model.mesh_texcoordadr[mesh] < 0
    ]


def read_mesh(model: mujoco.MjModel, mesh: int) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Copies a mesh's vertices [m], shape (V, 3), and faces, shape (F, 3)."""
    first, first_face = model.mesh_vertadr[mesh], model.mesh_faceadr[mesh]
    vertices = model.mesh_vert[first : first + model.mesh_vertnum[mesh]]
    faces = model.mesh_face[first_face : first_face + model.mesh_facenum[mesh]]
    return vertices.copy(), faces.copy()


def decimated(
    vertices: NDArray[np.float32], faces: NDArray[np.int32], decimation: Decimation
) -> Surface:
    """Finds fewer triangles that look like a mesh.

    Args:
        vertices: Positions [m], shape (V, 3).
        faces: Indices of three vertices each, shape (F, 3).
        decimation: How few.
    """
    target = decimation.target(len(faces))
    size_m = float(np.ptp(vertices, axis=0).max())
    tolerance_m = max(decimation.weld_frac * size_m, decimation.weld_m)
    vertices, faces = weld(vertices, faces, tolerance_m=tolerance_m)
    for _ in range(decimation.rounds):
        if len(faces) > target:
            vertices, faces = fast_simplification.simplify(
                vertices.astype(np.float32), faces.astype(np.int32), target_count=target, agg=5
            )
    normals, face_normals = creased_normals(vertices, faces)
    return Surface(vertices.astype(np.float32), faces.astype(np.int32), normals, face_normals)


def write_mesh(model: mujoco.MjModel, mesh: int, surface: Surface) -> None:
    """Puts a surface in the place of a mesh, unless it needs more room than the mesh has.

    Args:
        model: A copy that is used for drawing only; its collision shapes become invalid.
        mesh: Index of the mesh.
        surface: What to draw instead.
    """
    vertices, faces, normals, face_normals = surface
    room = model.mesh_vertnum[mesh], model.mesh_facenum[mesh], model.mesh_normalnum[mesh]
    if any(len(part) > most for part, most in zip(surface, room, strict=False)):
        return

    first = model.mesh_vertadr[mesh]
    model.mesh_vert[first : first + len(vertices)] = vertices
    model.mesh_vertnum[mesh] = len(vertices)
    first_face = model.mesh_faceadr[mesh]
    model.mesh_face[first_face : first_face + len(faces)] = faces
    model.mesh_facenum[mesh] = len(faces)
    first_normal = model.mesh_normaladr[mesh]
    model.mesh_normal[first_normal : first_normal + len(normals)] = normals
    model.mesh_normalnum[mesh] = len(normals)
    model.mesh_facenormal[first_face : first_face + len(faces)] = face_normals
    model.mesh_graphadr[mesh] = -1  # the convex hull would index vertices that are gone


def weld(
    vertices: NDArray[np.float32], faces: NDArray[np.int32], *, tolerance_m: float
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Joins vertices that fall into one grid cell; drops faces that collapse or repeat.

    Args:
        vertices: Positions [m], shape (V, 3).
        faces: Indices of three vertices each, shape (F, 3).
        tolerance_m: Edge of the grid's cells [m].

    Returns:
        The remaining vertices and faces.
    """
    cells = np.round(vertices / tolerance_m).astype(np.int64)
    _, kept, cell_of = np.unique(cells, axis=0, return_index=True, return_inverse=True)
    faces = cell_of.reshape(-1)[faces].astype(np.int32)
    a, b, c = faces.T
    faces = faces[(a != b) & (b != c) & (c != a)]
    _, first_seen = np.unique(np.sort(faces, axis=1), axis=0, return_index=True)
    return vertices[kept], faces[np.sort(first_seen)]


def creased_normals(
    vertices: NDArray[np.float32], faces: NDArray[np.int32]
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Unit normals per face corner: smooth over gentle edges, sharp over creases.

    Args:
        vertices: Positions [m], shape (V, 3).
        faces: Indices of three vertices each, shape (F, 3).

    Returns:
        Distinct normals, shape (M, 3), and for each face corner which one, shape (F, 3).
    """
    corners = vertices[faces]  # (F, 3 corners, 3)
    area = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])  # (F, 3)
    unit = area / np.maximum(np.linalg.norm(area, axis=1, keepdims=True), 1e-12)
    vertex_of = faces.reshape(-1)  # (3F,)
    face_of = np.repeat(np.arange(len(faces)), 3)
    by_vertex = np.split(
        np.argsort(vertex_of, kind="stable"),
        np.cumsum(np.bincount(vertex_of, minlength=len(vertices)))[:-1],
    )
    normals = np.zeros((len(vertex_of), 3))
    for around in by_vertex:
        near = face_of[around]
        normals[around] = (unit[near] @ unit[near].T > CREASE_COSINE) @ area[near]
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    distinct, which = np.unique(np.round(normals, 3), axis=0, return_inverse=True)
    return distinct.astype(np.float32), which.reshape(-1, 3).astype(np.int32)
