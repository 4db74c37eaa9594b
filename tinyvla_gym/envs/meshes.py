"""Decimated visual meshes, written into a copy of a model so that physics stays untouched."""

# pyright: reportAttributeAccessIssue=false, reportAssignmentType=false, reportArgumentType=false
# (mujoco ships no types, fast_simplification's are wrong)

import fast_simplification
import mujoco
import numpy as np
from numpy.typing import NDArray

CREASE_COSINE = 0.7
"""Faces that meet at a sharper angle than this are shaded as separate surfaces."""


def decimate(model: mujoco.MjModel, *, share: float, smallest: int, weld_frac: float) -> None:
    """Replaces the triangles of every large mesh by fewer, in place.

    Args:
        model: A copy that is used for drawing only; its collision shapes become invalid.
        share: Part of a mesh's faces to keep.
        smallest: Meshes of at most this many faces are left alone, and none falls below it.
        weld_frac: Vertices closer than this part of the mesh's size become one first; an
            unwelded mesh falls apart when it is decimated.
    """
    for mesh in range(model.nmesh):
        faces = int(model.mesh_facenum[mesh])
        textured = model.mesh_texcoordadr[mesh] >= 0
        if faces > smallest and not textured:
            _decimate_mesh(model, mesh, max(smallest, round(share * faces)), weld_frac)


def _decimate_mesh(model: mujoco.MjModel, mesh: int, target: int, weld_frac: float) -> None:
    first, count = model.mesh_vertadr[mesh], model.mesh_vertnum[mesh]
    first_face, face_count = model.mesh_faceadr[mesh], model.mesh_facenum[mesh]
    vertices = model.mesh_vert[first : first + count].copy()
    faces = model.mesh_face[first_face : first_face + face_count].copy()
    size_m = float(np.ptp(vertices, axis=0).max())
    vertices, faces = weld(vertices, faces, tolerance_m=weld_frac * size_m)
    if len(faces) > target:
        vertices, faces = fast_simplification.simplify(
            vertices.astype(np.float32), faces.astype(np.int32), target_count=target, agg=5
        )
    normals, face_normals = creased_normals(vertices, faces)
    if len(normals) > model.mesh_normalnum[mesh] or len(vertices) > count:
        return  # the decimated mesh would not fit into the old one's place

    model.mesh_vert[first : first + len(vertices)] = vertices
    model.mesh_vertnum[mesh] = len(vertices)
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
