"""Names, paths and column types of LeRobotDataset v3.0."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa

from tinyvla_gym.data.lerobot.coding import Coding
from tinyvla_gym.data.lerobot.mp4 import PIXEL_FORMAT
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
NEXT_META = Path("meta.next")
OLD_META = Path("meta.old")

_FILE = "chunk-{chunk_index:03d}/file-{file_index:03d}"
DATA_PATH = f"data/{_FILE}.parquet"
VIDEO_PATH = "videos/{video_key}/" + f"{_FILE}.mp4"
EPISODES_PATH = f"{EPISODES.as_posix()}/{_FILE}.parquet"
FRAME_CHECKSUMS = "videos/{video_key}/crc32"
"""Our own column of the episodes table: CRC-32 of each frame of a film, as it is coded."""

GLOBAL_COLUMNS = ("episode_index", "index", "task_index")
"""Columns that are known only once the episodes are merged."""

VECTORS = {"observation.state": "state", "action": "action", "sent_action": "sent_action"}
"""Column to the field of ``Episode`` that fills it."""


def image_key(camera: str) -> str:
    """LeRobot's name of a camera's column."""
    return f"observation.images.{camera}"


def frames_per_second(interface: Interface) -> int:
    """The control rate, which LeRobot wants as a whole number.

    Raises:
        ConfigError: If it is not one.
    """
    if interface.control_hz < 1 or interface.control_hz != int(interface.control_hz):
        raise ConfigError(
            f"A LeRobot dataset needs a whole number of frames per second, but control_hz is "
            f"{interface.control_hz}."
        )
    return int(interface.control_hz)


def features(interface: Interface, coding: Coding) -> dict[str, dict[str, Any]]:
    """Describes every column, as ``info.json`` does.

    Raises:
        ConfigError: If the format cannot hold the interface.
    """
    fps = frames_per_second(interface)
    pictures = {
        image_key(camera.name): _picture(camera, fps, coding) for camera in interface.cameras
    }
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


def data_schema(interface: Interface, coding: Coding) -> pa.Schema:
    """Column types of a data file, with the note by which ``datasets`` knows pictures."""
    columns = {
        name: facts
        for name, facts in features(interface, coding).items()
        if facts["dtype"] != "video"
    }
    note = {"info": {"features": {name: _noted(facts) for name, facts in columns.items()}}}
    return pa.schema(
        [(name, _arrow_type(facts)) for name, facts in columns.items()],
        metadata={"huggingface": json.dumps(note)},
    )


def staged_schema(interface: Interface, coding: Coding) -> pa.Schema:
    """Column types of one staged episode: all but the ``GLOBAL_COLUMNS``."""
    return pa.schema(
        [field for field in data_schema(interface, coding) if field.name not in GLOBAL_COLUMNS]
    )


def _number(dtype: str) -> dict[str, Any]:
    return {"dtype": dtype, "shape": [1], "names": None}


def _vector(names: tuple[str, ...]) -> dict[str, Any]:
    return {"dtype": "float32", "shape": [len(names)], "names": list(names)}


def _picture(camera: Camera, fps: int, coding: Coding) -> dict[str, Any]:
    facts = {
        "dtype": "image",
        "shape": [camera.height, camera.width, 3],
        "names": ["height", "width", "channels"],
    }
    if coding.is_lossless(camera):
        return facts
    if camera.height % 2 or camera.width % 2:
        raise ConfigError(
            f"Camera {camera.name} is {camera.height} x {camera.width} px; above "
            f"{coding.lossless_px} px it is kept as video, which needs even sizes."
        )
    video = {
        "video.height": camera.height,
        "video.width": camera.width,
        "video.codec": coding.codec,
        "video.pix_fmt": PIXEL_FORMAT,
        "video.is_depth_map": False,
        "video.fps": fps,
        "video.channels": 3,
        "has_audio": False,
        "video.g": coding.key_every,
        "video.crf": coding.crf,
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
