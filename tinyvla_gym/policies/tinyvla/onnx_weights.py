"""A graph without weights: it points to where they lie in the safetensors file beside it.

ONNX may keep a tensor outside the graph, as a stretch of bytes in another file. A safetensors file
is just that behind its header, so any runtime finds the weights there. Those stored as float16 are
widened by the graph; a runtime does so once, when it opens it.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyvla_gym.errors import ConfigError
from tinyvla_gym.policies.checkpoint import GRAPH, WEIGHTS, weights_digest

PREFIX = "model."
"""What the exporter puts before a weight's name."""
MOST_HELD = 2_000_000_000
"""Bytes that a graph can hold itself; its format ends at 2 GiB."""
_STORED = {"F16": 10, "F32": 1, "I64": 7}
"""Kinds of numbers in a safetensors file -> ONNX's numbers for them."""
_KINDS = {"F16": np.float16, "F32": np.float32}


def point_to_weights(folder: Path) -> None:
    """Takes the weights out of a graph, in place, where the file beside it has the same.

    Args:
        folder: A checkpoint with its weights and a graph that holds them once more, as they are or
            transposed. What else the exporter has computed from weights stays in the graph; what
            it notes about our source code does not.

    Raises:
        ConfigError: If what stays is more than a graph can hold.
    """
    import onnx

    model = onnx.load(folder / GRAPH)
    places = _places(folder / WEIGHTS)
    turned = _transposed(folder / WEIGHTS, places)
    before: list[Any] = []
    for tensor in model.graph.initializer:
        place, kinds = places.get(tensor.name.removeprefix(PREFIX)), []
        if place is None and len(tensor.dims) == 2:
            values = _digest(onnx.numpy_helper.to_array(tensor))
            place, kinds = places.get(turned.get(values, "")), ["Transpose"]
        if place is None or (not kinds and place["shape"] != list(tensor.dims)):
            continue
        if _STORED[place["dtype"]] != tensor.data_type:
            kinds = ["Cast", *kinds]
        before += _nodes(kinds, tensor)
        _point(tensor, place)
    _finish(model, before)
    held = sum(len(tensor.raw_data) for tensor in model.graph.initializer)
    if held > MOST_HELD:
        raise ConfigError(
            f"The graph would hold {held / 2**30:.1f} GiB of its own and can hold 2; "
            "export it with --int8."
        )
    entry = model.metadata_props.add()
    entry.key, entry.value = WEIGHTS, weights_digest(folder)
    (folder / GRAPH).write_bytes(model.SerializeToString())


def _nodes(kinds: list[str], tensor: Any) -> list[Any]:
    """Nodes that make a tensor of what is stored; the tensor gets the latter's name."""
    import onnx

    names = [f"{tensor.name}.stored{step}" for step in range(len(kinds))] + [tensor.name]
    tensor.name = names[0]
    return [
        onnx.helper.make_node(
            kind, [given], [made], **({"to": tensor.data_type} if kind == "Cast" else {})
        )
        for kind, given, made in zip(kinds, names, names[1:], strict=False)
    ]


def _finish(model: Any, before: list[Any]) -> None:
    """Puts nodes before the others, and drops what no runtime reads: traces of our source."""
    graph = model.graph
    nodes = [*before, *graph.node]
    for node in nodes:
        del node.metadata_props[:]
    for part in (graph.node, graph.value_info, graph.metadata_props):
        del part[:]
    graph.node.extend(nodes)


def _transposed(path: Path, places: Mapping[str, dict[str, Any]]) -> dict[bytes, str]:
    """A digest of every stored matrix, widened and transposed, and its name."""
    file = np.memmap(path, mode="r")
    found = {}
    for name, place in places.items():
        if len(place["shape"]) == 2 and place["dtype"] in _KINDS:
            stored = file[place["offset"] : place["offset"] + place["length"]]
            matrix = stored.view(_KINDS[place["dtype"]]).reshape(place["shape"])
            found[_digest(matrix.T.astype(np.float32))] = name
    return found


def _digest(values: NDArray[Any]) -> bytes:
    return hashlib.sha256(np.ascontiguousarray(values).data).digest()


def _point(tensor: Any, place: dict[str, Any]) -> None:
    tensor.ClearField("raw_data")
    tensor.dims[:] = place["shape"]
    tensor.data_type = _STORED[place["dtype"]]
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
