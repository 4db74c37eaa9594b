"""Headless OpenGL: which back end to use, and the one context of this process."""

import atexit
import ctypes
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tinyvla_gym.errors import GraphicsError

DEBIAN_REMEDY = "sudo apt-get install -y libegl1 libgl1-mesa-dri"

_LIBRARIES = {"egl": "libEGL.so.1", "osmesa": "libOSMesa.so.8"}  # in order of preference

_context: Any = None
_closers: list[Callable[[], None]] = []


def backend() -> str:
    """Names the OpenGL back end that this process will use.

    On Linux EGL if its library loads, else OSMesa; elsewhere, and where the user set
    ``MUJOCO_GL``, nothing is changed.

    Raises:
        GraphicsError: If Linux has neither library; the message says how to install one.
    """
    chosen = os.environ.get("MUJOCO_GL", "").lower()
    if chosen or sys.platform != "linux":
        return chosen or "glfw"
    for name, library in _LIBRARIES.items():
        if _loads(library):
            os.environ["MUJOCO_GL"] = name
            return name
    raise GraphicsError(
        "No headless OpenGL: neither libEGL.so.1 nor libOSMesa.so.8 can be loaded.\n"
        f"On Debian or Ubuntu run: {DEBIAN_REMEDY}"
    )


@contextmanager
def drawing() -> Iterator[None]:
    """Makes this process's one OpenGL context current for a block, creating it at the first call.

    What was current before is current again afterwards (save under OSMesa, which cannot tell).
    Other code, such as Gymnasium's own viewer, draws into whichever context is current, and when
    it is collected frees its pictures there, by number: it must never find ours.

    Raises:
        GraphicsError: If no context can be created.
    """
    global _context
    name = backend()
    try:
        before = _current(name)
        if _context is None:
            _context = _new_context(name)
            atexit.register(_close)
        _context.make_current()
    except Exception as error:  # PyOpenGL raises whatever it meets first
        raise GraphicsError(
            f"The OpenGL back end {name!r} does not start: {error}\n"
            f"On Linux use MUJOCO_GL=egl; on Debian or Ubuntu install it: {DEBIAN_REMEDY}"
        ) from error
    try:
        yield
    finally:
        _make_current(name, before)


def close_at_exit(close: Callable[[], None]) -> None:
    """Registers what must be freed while the context still lives, last come first."""
    _closers.append(close)


def _new_context(name: str) -> Any:
    # One rasteriser thread: below 224 px more do not help, and workers share the cores.
    os.environ.setdefault("LP_NUM_THREADS", "1")
    if name == "egl":
        from mujoco.egl import GLContext
    elif name == "osmesa":
        from mujoco.osmesa import GLContext
    else:
        from mujoco.glfw import GLContext
    return GLContext(640, 480)


def _current(name: str) -> Any:
    """The context that is current now, None if there is none."""
    if name == "egl":
        from mujoco import egl

        return egl.EGL.eglGetCurrentContext() or None
    if name == "glfw":
        import glfw

        if _context is None:
            _start_glfw()
        return glfw.get_current_context() or None
    return None


def _make_current(name: str, context: Any) -> None:
    """Makes current what ``_current`` has returned."""
    if name == "egl":
        from mujoco import egl

        nothing = egl.EGL.EGL_NO_SURFACE
        chosen = context or egl.EGL.EGL_NO_CONTEXT
        egl.EGL.eglMakeCurrent(egl.EGL_DISPLAY, nothing, nothing, chosen)
    elif name == "glfw":
        import glfw

        glfw.make_context_current(context)


def _start_glfw() -> None:
    import glfw

    with warnings.catch_warnings():
        # Without a display it only warns, and MuJoCo fails later for no visible reason.
        warnings.filterwarnings("error", module="glfw")
        glfw.init()


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def _close() -> None:
    """Frees drawing contexts first, the OpenGL context last; Mesa crashes otherwise."""
    global _context
    if _context is None:
        return
    _context.make_current()
    while _closers:
        _closers.pop()()
    _context.free()
    _context = None
