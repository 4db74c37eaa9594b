"""A graph without weights: it points to where they lie in the safetensors file beside it.

ONNX may keep a tensor outside the graph, as a stretch of bytes in another file. A safetensors file
is just that behind its header, so any runtime finds the weights there. Those stored as float16 are
widened by the graph; a runtime does so once, when it opens it.
"""

import json
from pathlib import Path
from typing import Any

from tinyvla_gym.errors import ConfigError
from tinyvla_gym.policies.checkpoint import GRAPH, WEIGHTS, weights_digest

PREFIX = "model."
"""What the exporter puts before a weight's name."""
MOST_HELD = 2_000_000_000
"""Bytes that a graph can hold itself; its format ends at 2 GiB."""
_STORED = {"F16": 10, "F32": 1, "I64": 7}
"""Kinds of numbers in a safetensors file -> ONNX's numbers for them."""


def point_to_weights(folder: Path) -> None:
    """Takes the weights out of a graph, in place, where the file beside it has the same.

    Args:
        folder: A checkpoint with its weights and a graph that holds them once more. What the
            exporter has computed from weights stays in the graph: of linear layers over tokens,
            their transposed weights.

    Raises:
        ConfigError: If that is more than a graph can hold.
    """
    import onnx

    graph = onnx.load(folder / GRAPH)
    places = _places(folder / WEIGHTS)
    widened = []
    for tensor in graph.graph.initializer:
        place = places.get(tensor.name.removeprefix(PREFIX))
        if place is None or place["shape"] != list(tensor.dims):
            continue
        stored = _STORED[place["dtype"]]
        if stored != tensor.data_type:
            name, wanted = tensor.name, tensor.data_type
            tensor.name = f"{name}.stored"
            widened.append(onnx.helper.make_node("Cast", [tensor.name], [name], to=wanted))
        _point(tensor, stored, place)
    held = sum(len(tensor.raw_data) for tensor in graph.graph.initializer)
    if held > MOST_HELD:
        raise ConfigError(
            f"The graph would hold {held / 2**30:.1f} GiB of its own and can hold 2; "
            "export it with --int8."
        )
    nodes = [*widened, *graph.graph.node]
    del graph.graph.node[:]
    graph.graph.node.extend(nodes)
    entry = graph.metadata_props.add()
    entry.key, entry.value = WEIGHTS, weights_digest(folder)
    (folder / GRAPH).write_bytes(graph.SerializeToString())


def _point(tensor: Any, stored: int, place: dict[str, Any]) -> None:
    tensor.ClearField("raw_data")
    tensor.data_type = stored
    tensor.data_location = type(tensor).EXTERNAL
    for key in ("location", "offset", "length"):
        entry = tensor.external_data.add()
        entry.key, entry.value = key, str(place[key])


def _places(path: Path) -> dict[str, dict[str, Any]]:
    """Where each tensor of a safetensors file lies: location, offset and length [bytes]."""
    with path.open("rb") as file:
        header = int.from_bytes(file.read(8), "little")
        entries = json.loads(file.read(header))
    entries.pop("__metadata__", None)
    return {
        name: {
            "dtype": entry["dtype"],
            "shape": entry["shape"],
            "location": path.name,
            "offset": 8 + header + entry["data_offsets"][0],
            "length": entry["data_offsets"][1] - entry["data_offsets"][0],
        }
        for name, entry in entries.items()
    }
