"""tinyvla-gym calibrate: measures a rig and writes what was found into its file."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import tyro

from tinyvla_gym.cli.console import console, write_json
from tinyvla_gym.data.atomic import written_whole
from tinyvla_gym.errors import ConfigError, UnknownNameError
from tinyvla_gym.robots.calibration import measuring
from tinyvla_gym.robots.calibration.boards import Board
from tinyvla_gym.robots.calibration.hand_eye import place_camera, pose_matrix
from tinyvla_gym.robots.calibration.pretended import (
    moved_base,
    pretended_touches,
    pretended_views,
)
from tinyvla_gym.robots.calibration.steps import (
    Finding,
    arm_named,
    calibrate_bases,
    calibrate_gripper,
    calibrate_table,
    calibrate_tool,
)
from tinyvla_gym.robots.calibration.touches import (
    PARTS,
    Touches,
    parse_touches,
    write_touches,
)
from tinyvla_gym.robots.calibration.views import Views, load_views, save_views
from tinyvla_gym.robots.camera import camera_source
from tinyvla_gym.robots.drivers.ur_joints import UrJoints
from tinyvla_gym.robots.rig_file import SHIPPED, parse_rig, shipped_rigs, updated_rig
from tinyvla_gym.robots.rotations import rotation_from_rotvec
from tinyvla_gym.robots.spec import ArmSpec, CameraSpec, RigSpec

Step = Literal["bases", "table", "tool", "gripper", "camera"]

_PRETENDED_SHIFT_M = np.array([0.03, -0.01, 0.005])
_PRETENDED_NOISE_M = 0.0003
_PRETENDED_CAMERA = pose_matrix(  # on the tool, or over the base
    np.array([0.05, 0.0, -0.08]), rotation_from_rotvec(np.array([0.1, -0.2, 1.5]))
)


@dataclass(frozen=True, kw_only=True)
class Calibrate:
    """Find out where a rig's bases, table, tools and cameras are; arms are guided by hand."""

    rig: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RIG.yaml")]
    """The rig's file; what is found is written into it."""
    step: Annotated[Step, tyro.conf.Positional]
    """bases: of two arms to each other. table: its plane. tool: a TCP. gripper: its range.
    camera: optics and pose."""
    touches: Path = Path("touches.yaml")
    """File of what was touched; read, or written where something is measured."""
    views: Path = Path("views")
    """Folder of pictures of a board; read, or written where something is measured."""
    measure: Literal["no", "arms", "pretended"] = "no"
    """no: read the file. arms: guide the real arms by hand, Enter takes a point, q ends.
    pretended: make measurements up, to try this without a robot."""
    arm: str = ""
    """Which arm, for table, tool, gripper and camera; the first if not given."""
    camera: str = ""
    """Which camera, for camera; the first if not given."""
    on_tool: bool = False
    """The arm carries the camera, not the board."""
    board: Board = field(default_factory=Board)
    """The printed board, for camera."""
    json: Path | None = None
    """Also write what was found to this file."""

    def run(self) -> int:
        """Measures if asked to, calculates, and writes."""
        text = _text_of(self.rig)
        rig = parse_rig(text, name=str(self.rig))
        arm = self.arm or rig.arms[0].name
        arm_named(rig, arm)
        found = self._camera(rig, arm) if self.step == "camera" else self._touched(rig, arm)
        updated = updated_rig(text, rig, found.rig)
        parse_rig(updated, name=str(self.rig))  # what is written can be read
        with written_whole(self.rig) as partial:
            partial.write_text(updated, encoding="utf-8")
        for fact in (*found.facts, f"Written to {self.rig}."):
            console.print(fact, soft_wrap=True)
        write_json(self.json, {"step": self.step, "facts": list(found.facts)})
        return 0

    def _touched(self, rig: RigSpec, arm: str) -> Finding:
        touches = _kept(self.touches)
        if self.measure != "no":
            new = _pretended(rig) if self.measure == "pretended" else self._measured(rig, arm)
            part = self.step
            if part == "bases" or self.measure == "pretended":
                setattr(touches, part, getattr(new, part))
            else:  # another arm's measurements stay
                setattr(touches, part, getattr(touches, part) | getattr(new, part))
            with written_whole(self.touches) as partial:
                partial.write_text(write_touches(touches), encoding="utf-8")
        if self.step == "bases":
            return calibrate_bases(rig, touches)
        if self.step == "table":
            return calibrate_table(rig, touches)
        calibrate = calibrate_tool if self.step == "tool" else calibrate_gripper
        return calibrate(rig, touches, arm)

    def _measured(self, rig: RigSpec, arm: str) -> Touches:
        spec = arm_named(rig, arm)
        if self.step == "gripper":
            return measuring.measure_gripper(spec)
        with _reading(rig.arms if self.step == "bases" else (spec,)) as joints:
            if self.step == "bases":
                return measuring.measure_bases(rig, joints, _ask)
            take = measuring.measure_table if self.step == "table" else measuring.measure_tool
            return take(spec, joints, _ask)

    def _camera(self, rig: RigSpec, arm: str) -> Finding:
        spec = _camera_named(rig, self.camera)
        if self.measure == "no":
            views = load_views(self.views)
        else:
            views = self._seen(rig, arm, spec)
            save_views(self.views, views)
        carrier = arm_named(rig, views.arm)
        placed = place_camera(views.views, views.board, carrier, on_tool=views.on_tool)
        cameras = tuple(
            replace(one, placement=placed) if one.name == spec.name else one for one in rig.cameras
        )
        at = ", ".join(f"{entry:.4f}" for entry in placed.position_m)
        owner = f"on the tool of {placed.frame}" if views.on_tool else "in the world"
        facts = (
            f"{len(views.views)} views; {spec.name} is at ({at}) m {owner}.",
            f"Corners are {placed.residual_px:.2f} px off; the worst view puts the board "
            f"{1000 * placed.residual_m:.2f} mm off.",
        )
        return Finding(rig=replace(rig, cameras=cameras), facts=facts)

    def _seen(self, rig: RigSpec, arm: str, spec: CameraSpec) -> Views:
        if self.measure == "pretended":
            return pretended_views(
                arm_named(rig, arm), _PRETENDED_CAMERA, on_tool=self.on_tool, board=self.board
            )
        with _reading((arm_named(rig, arm),)) as joints, ExitStack() as stack:
            camera = camera_source(spec)
            stack.callback(camera.close)
            camera.open()
            return measuring.measure_views(
                rig, arm, joints, camera, _ask, on_tool=self.on_tool, board=self.board
            )


def _text_of(path: Path) -> str:
    if str(path) in shipped_rigs():
        raise ConfigError(
            f"{path} comes with the package and stays as it is. Copy it, and calibrate the copy:\n"
            f"cp {SHIPPED / path}.yaml my_rig.yaml"
        )
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"The rig file {path} cannot be read: {error.strerror}.") from error


def _kept(path: Path) -> Touches:
    if not path.exists():
        return Touches()
    return parse_touches(path.read_text(encoding="utf-8"), name=str(path))


def _pretended(rig: RigSpec) -> Touches:
    really = moved_base(rig, _PRETENDED_SHIFT_M) if len(rig.arms) == 2 else rig
    return pretended_touches(really, noise_m=_PRETENDED_NOISE_M)


def _camera_named(rig: RigSpec, name: str) -> CameraSpec:
    names = [camera.name for camera in rig.cameras]
    if not names or (name and name not in names):
        raise UnknownNameError(f"camera of {rig.name}", name, names)
    return rig.cameras[names.index(name) if name else 0]


@contextmanager
def _reading(arms: tuple[ArmSpec, ...]) -> Iterator[dict[str, measuring.ReadJoints]]:
    """Connects to the arms to read their joints, nothing else."""
    others = [arm.name for arm in arms if arm.driver != "ur_rtde"]
    if others:
        raise ConfigError(
            f"Only Universal Robots arms can be read here, not {', '.join(others)}. Note the "
            f"points by hand in a file with the parts {', '.join(PARTS)}, and leave out --measure."
        )
    with ExitStack() as stack:
        readers = {arm.name: UrJoints(arm) for arm in arms}
        for reader in readers.values():
            stack.callback(reader.close)
            reader.connect()
        yield {name: reader.read for name, reader in readers.items()}


def _ask(sentence: str) -> bool:
    try:
        return console.input(f"{sentence}; Enter takes it, q ends: ").strip().lower() != "q"
    except EOFError:
        return False
