"""Names, paths and column types of LeRobotDataset v3.0."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa

from tinyvla_gym.data.lerobot.mp4 import CODEC, PIXEL_FORMAT
from tinyvla_gym.errors import ConfigError
from tinyvla_gym.interface import Camera, Interface

CODEBASE_VERSION = "v3.0"
FORMAT_VERSION = 1

CHUNK_FILES = 1000
DATA_FILE_MB = 100
VIDEO_FILE_MB = 200

INFO = Path("meta/info.json")
STATS = Path("meta/stats.json")
TASKS = Path("meta/tasks.parquet")
EPISODES = Path("meta/episodes")
FACTS = Path("meta/tinyvla_gym.json")
STAGING = Path("staging")

_FILE = "chunk-{chunk_index:03d}/file-{file_index:03d}"
DATA_PATH = f"data/{_FILE}.parquet"
VIDEO_PATH = "videos/{video_key}/" + f"{_FILE}.mp4"
EPISODES_PATH = f"{EPISODES.as_posix()}/{_FILE}.parquet"

LOSSLESS_PX = 160
"""Larger cameras become video; lossy coding would erase what is three pixels wide."""

GLOBAL_COLUMNS = ("episode_index", "index", "task_index")
"""Columns that are known only once the episodes are merged."""

VECTORS = {"observation.state": "state", "action": "action", "sent_action": "sent_action"}
"""Column to the field of ``Episode`` that fills it."""


def image_key(camera: str) -> str:
    """LeRobot's name of a camera's column."""
    return f"observation.images.{camera}"


def is_lossless(camera: Camera) -> bool:
    """Whether a camera is kept as PNG in the data file rather than as video."""
    return max(camera.height, camera.width) <= LOSSLESS_PX


def frames_per_second(interface: Interface) -> int:
    """The control rate, which LeRobot wants as a whole number.

    Raises:
        ConfigError: If it is not one, or if a video camera has an odd size.
    """
    if interface.control_hz < 1 or interface.control_hz != int(interface.control_hz):
        raise ConfigError(
            f"A LeRobot dataset needs a whole number of frames per second, but control_hz is "
            f"{interface.control_hz}."
        )
    for camera in interface.cameras:
        if not is_lossless(camera) and (camera.height % 2 or camera.width % 2):
            raise ConfigError(
                f"Camera {camera.name} is {camera.height} x {camera.width} px; above "
                f"{LOSSLESS_PX} px it is kept as video, which needs even sizes."
            )
    return int(interface.control_hz)


def features(interface: Interface) -> dict[str, dict[str, Any]]:
    """Describes every column, as ``info.json`` does."""
    fps = frames_per_second(interface)
    pictures = {image_key(camera.name): _picture(camera, fps) for camera in interface.cameras}
    return {
        **pictures,
        "observation.state": _vector(interface.state),
        "action": _vector(interface.action),
        "sent_action": _vector(interface.action),
        "next.reward": _number("float32"),
        "next.success": _number("bool"),
        "next.done": _number("bool"),
        "timestamp": _number("float32"),
        "frame_index": _number("int64"),
        **{name: _number("int64") for name in GLOBAL_COLUMNS},
    }


def data_schema(interface: Interface) -> pa.Schema:
    """Column types of a data file, with the note by which ``datasets`` knows pictures."""
    columns = {
        name: facts for name, facts in features(interface).items() if facts["dtype"] != "video"
    }
    note = {"info": {"features": {name: _noted(facts) for name, facts in columns.items()}}}
    return pa.schema(
        [(name, _arrow_type(facts)) for name, facts in columns.items()],
        metadata={"huggingface": json.dumps(note)},
    )


def staged_schema(interface: Interface) -> pa.Schema:
    """Column types of one staged episode: all but the ``GLOBAL_COLUMNS``."""
    return pa.schema(
        [field for field in data_schema(interface) if field.name not in GLOBAL_COLUMNS]
    )


def _number(dtype: str) -> dict[str, Any]:
    return {"dtype": dtype, "shape": [1], "names": None}


def _vector(names: tuple[str, ...]) -> dict[str, Any]:
    return {"dtype": "float32", "shape": [len(names)], "names": list(names)}


def _picture(camera: Camera, fps: int) -> dict[str, Any]:
    facts = {
        "dtype": "image",
        "shape": [camera.height, camera.width, 3],
        "names": ["height", "width", "channels"],
    }
    if is_lossless(camera):
        return facts
    video = {
        "video.height": camera.height,
        "video.width": camera.width,
        "video.codec": CODEC,
        "video.pix_fmt": PIXEL_FORMAT,
        "video.is_depth_map": False,
        "video.fps": fps,
        "video.channels": 3,
        "has_audio": False,
    }
    return {**facts, "dtype": "video", "info": video}


def _arrow_type(facts: dict[str, Any]) -> pa.DataType:
    if facts["dtype"] == "image":
        return pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    number = pa.type_for_alias(facts["dtype"])
    width = facts["shape"][0]
    return number if width == 1 else pa.list_(number, width)


def _noted(facts: dict[str, Any]) -> dict[str, Any]:
    if facts["dtype"] == "image":
        return {"_type": "Image"}
    number = {"dtype": facts["dtype"], "_type": "Value"}
    width = facts["shape"][0]
    return number if width == 1 else {"feature": number, "length": width, "_type": "List"}
