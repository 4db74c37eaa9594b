"""Films a rollout: what was seen, and underneath what was asked for and how it went."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from tinyvla_gym.data.atomic import writing
from tinyvla_gym.errors import ConfigError, UnknownNameError
from tinyvla_gym.events import Outcome, Step
from tinyvla_gym.interface import Interface, Observation

HOLD_S = 0.6
"""How long the last picture stays, so that its success can be seen [s]."""

_TEXT_PX, _LINE_PX, _MARGIN_PX, _BORDER_PX = 15, 21, 10, 5
_LEAST_WIDTH_PX = 320  # the facts under the picture take that much
_STRIP, _WHITE, _GREY = (24, 26, 30), (240, 240, 240), (150, 155, 165)
_AMBER, _DIM, _GREEN = (255, 176, 32), (62, 66, 74), (46, 204, 113)


class VideoListener:
    """Writes one annotated mp4 per episode (h264, yuv420p).

    The square before the step number lights up when a new chunk was planned; the border turns
    green at the first success. A film appears under its name only when its episode has ended:
    an episode that is broken off leaves nothing.
    """

    def __init__(
        self,
        where: Path | str,
        *,
        interface: Interface,
        frame: Callable[[], NDArray[np.uint8]] | None = None,
        camera: str | None = None,
        every: int = 2,
        fps: float | None = None,
        height_px: int = 288,
    ) -> None:
        """Prepares to film; nothing is written before an episode begins.

        Args:
            where: A name that ends in ``.mp4`` is the film, replaced by every new episode;
                any other is a folder, which gets ``episode_<seed>.mp4``.
            interface: Of the env that will be played.
            frame: Draws the scene as it is now, uint8 (H, W, 3), such as ``env.render``. None
                shows the observation's cameras side by side.
            camera: Shows that camera alone.
            every: Control ticks per picture.
            fps: Pictures per second; real time, ``control_hz / every``, when None.
            height_px: Height to which cameras are enlarged [px].

        Raises:
            UnknownNameError: If there is no such camera.
            ConfigError: If the settings contradict each other.
        """
        known = [one.name for one in interface.cameras]
        if camera is not None and camera not in known:
            raise UnknownNameError("camera", camera, known)
        if frame is not None and camera is not None:
            raise ConfigError("A film shows frame() or a camera, not both.")
        if frame is None and not known:
            raise ConfigError("There is no camera to film: give frame=env.render.")
        fps = interface.control_hz / every if fps is None and every >= 1 else fps
        if every < 1 or fps is None or fps <= 0 or height_px < 1:
            raise ConfigError(
                f"A film needs every >= 1, fps > 0 and height_px >= 1, "
                f"got every={every}, fps={fps}, height_px={height_px}."
            )
        self.needs_images = frame is None
        self._where = Path(where)
        self._frame = frame
        self._cameras = known if camera is None else [camera]
        self._every, self._fps, self._height_px = every, fps, height_px
        self._film: Any = None
        self._path = self._where

    def on_reset(self, observation: Observation, info: dict[str, Any]) -> None:
        """Opens the film and shows the scene before the first tick.

        Raises:
            OutputError: If the place cannot be written to.
        """
        self._discard()
        single = self._where.suffix == ".mp4"
        self._path = self._where if single else self._where / f"episode_{info['seed']:06d}.mp4"
        with writing(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._film = iio.imopen(
                self._partial, "w", plugin="pyav", extension=".mp4", container="mp4"
            )
            self._film.init_video_stream("libx264", fps=self._fps, pixel_format="yuv420p")
        self._instruction: str = info["instruction"]
        self._ticks, self._success_tick, self._planned = 0, 0, False
        self._show(observation, "")

    def on_step(self, step: Step) -> None:
        """Shows every so many ticks, and the last one."""
        self._ticks += 1
        self._planned |= step.chunk_start
        if step.info["success"] and not self._success_tick:
            self._success_tick = self._ticks
        if self._ticks % self._every == 0 or step.terminated or step.truncated:
            self._show(step.next_observation, f"   reward {step.reward:.2f}   {step.source}")

    def on_end(self, outcome: Outcome | None) -> None:
        """Gives the film its name, or throws it away if the episode was broken off.

        Raises:
            OutputError: If the place cannot be written to.
        """
        try:
            if outcome is not None and self._film is not None:
                with writing(self._path):
                    for _ in range(round(HOLD_S * self._fps)):
                        self._film.write_frame(self._last)
                    self._film.close()
                    os.replace(self._partial, self._path)
        finally:
            self._discard()

    @property
    def _partial(self) -> Path:
        return self._path.with_name(f".{self._path.name}.partial")

    def _discard(self) -> None:
        if self._film is None:
            return
        film, self._film = self._film, None
        try:
            film.close()
        finally:
            self._partial.unlink(missing_ok=True)

    def _show(self, observation: Observation | None, facts: str) -> None:
        picture = self._picture(observation)
        if self._success_tick:
            ImageDraw.Draw(picture).rectangle(
                (0, 0, picture.width - 1, picture.height - 1), outline=_GREEN, width=_BORDER_PX
            )
        said = f"success at {self._success_tick}" if self._success_tick else ""
        facts = f"step {self._ticks}{facts}"
        self._last = captioned(
            picture, self._instruction, facts=facts, praise=said, marked=self._planned
        )
        self._planned = False
        with writing(self._path):
            self._film.write_frame(self._last)

    def _picture(self, observation: Observation | None) -> Image.Image:
        if self._frame is not None:
            return Image.fromarray(self._frame())
        assert observation is not None  # needs_images made sure of it
        return side_by_side(
            [observation[f"image_{name}"] for name in self._cameras], self._height_px
        )


def side_by_side(pictures: list[NDArray[np.uint8]], height_px: int) -> Image.Image:
    """Enlarges pictures to one height, pixels staying square, and joins them left to right.

    Args:
        pictures: uint8 RGB, (H, W, 3) each.
        height_px: Their common height [px].
    """
    sized = [
        Image.fromarray(picture).resize(
            (round(picture.shape[1] * height_px / picture.shape[0]), height_px),
            Image.Resampling.NEAREST,
        )
        for picture in pictures
    ]
    joined = Image.new("RGB", (sum(one.width for one in sized), height_px))
    left = 0
    for one in sized:
        joined.paste(one, (left, 0))
        left += one.width
    return joined


def captioned(
    picture: Image.Image, instruction: str, *, facts: str, praise: str, marked: bool
) -> NDArray[np.uint8]:
    """Puts a caption under a picture.

    Args:
        picture: RGB.
        instruction: The sentence, broken into as many lines as it takes.
        facts: One line below it.
        praise: Goes on with that line, in green.
        marked: Whether the square before the facts is lit.

    Returns:
        The whole, shape (H, W, 3), H and W even, as yuv420p wants them.
    """
    width = max(picture.width, _LEAST_WIDTH_PX)
    width += width % 2
    font = ImageFont.load_default(_TEXT_PX)
    lines = _wrapped(instruction, font, width - 2 * _MARGIN_PX)
    height = picture.height + 2 * _MARGIN_PX + _LINE_PX * (len(lines) + 1)
    sheet = Image.new("RGB", (width, height + height % 2), _STRIP)
    sheet.paste(picture, ((width - picture.width) // 2, 0))
    pen = ImageDraw.Draw(sheet)
    top = picture.height + _MARGIN_PX
    for line in lines:
        pen.text((_MARGIN_PX, top), line, _WHITE, font)
        top += _LINE_PX
    pen.rectangle((_MARGIN_PX, top + 4, _MARGIN_PX + 9, top + 13), _AMBER if marked else _DIM)
    pen.text((_MARGIN_PX + 18, top), facts, _GREY, font)
    pen.text((_MARGIN_PX + 18 + font.getlength(f"{facts}   "), top), praise, _GREEN, font)
    return np.asarray(sheet)


def _wrapped(text: str, font: Any, width_px: int) -> list[str]:
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= width_px or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines
