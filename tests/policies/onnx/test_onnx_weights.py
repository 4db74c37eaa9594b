"""Tests for policies/tinyvla/onnx_weights.py, on a graph of two nodes."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import save_file

from tinyvla_gym.errors import ConfigError
from tinyvla_gym.policies.checkpoint import weights_digest
from tinyvla_gym.policies.tinyvla import onnx_weights
from tinyvla_gym.policies.tinyvla.onnx_weights import point_to_weights

WEIGHT = np.random.default_rng(0).standard_normal((300, 2)).astype(np.float32)
SHIFT = np.float32([0.25, -4.0])
INPUT = np.linspace(-1, 1, 300, dtype=np.float32)[None]


def write_folder(folder, kind):
    """A checkpoint that holds its weights twice, and one that the graph has changed."""
    held = {"before": WEIGHT, "layer.weight": WEIGHT, "layer.bias": SHIFT, "other": SHIFT}
    save_file({name: one.astype(kind) for name, one in held.items()}, folder / "model.safetensors")
    rounded = WEIGHT.astype(kind).astype(np.float32)
    weights = {"model.layer.weight": rounded, "model.layer.bias": SHIFT, "model.other": SHIFT[:1]}
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "model.layer.weight"], ["y"]),
            helper.make_node("Sum", ["y", "model.layer.bias", "model.other"], ["z"]),
        ],
        "plan",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 300])],
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, [1, 2])],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.save(model, folder / "model.onnx")


def answer(folder):
    session = onnxruntime.InferenceSession(
        str(folder / "model.onnx"), providers=["CPUExecutionProvider"]
    )
    return session.run(None, {"x": INPUT})[0], session.get_modelmeta().custom_metadata_map


@pytest.mark.parametrize("kind", [np.float16, np.float32])
def test_the_graph_answers_as_before_from_the_file_beside_it(kind, tmp_path) -> None:
    write_folder(tmp_path, kind)
    before, _ = answer(tmp_path)
    size = (tmp_path / "model.onnx").stat().st_size

    point_to_weights(tmp_path)

    after, facts = answer(tmp_path)
    np.testing.assert_allclose(after, before, rtol=0, atol=1e-6)
    assert (tmp_path / "model.onnx").stat().st_size < size / 2
    assert facts == {"model.safetensors": weights_digest(tmp_path)}


@pytest.mark.parametrize("kind", [np.float16, np.float32])
def test_a_transposed_weight_is_taken_from_the_file_too(kind, tmp_path) -> None:
    write_folder(tmp_path, kind)
    model = onnx.load(tmp_path / "model.onnx")
    weight = next(one for one in model.graph.initializer if one.name == "model.layer.weight")
    turned = np.ascontiguousarray(numpy_helper.to_array(weight).T)
    weight.CopyFrom(numpy_helper.from_array(turned, "val_7"))
    product = helper.make_node("Gemm", ["x", "val_7"], ["y"], transB=1)
    model.graph.node[0].CopyFrom(product)
    onnx.save(model, tmp_path / "model.onnx")
    before, _ = answer(tmp_path)

    point_to_weights(tmp_path)

    graph = onnx.load(tmp_path / "model.onnx", load_external_data=False).graph
    assert [one.name for one in graph.initializer if not one.external_data] == ["model.other"]
    np.testing.assert_allclose(answer(tmp_path)[0], before, rtol=0, atol=1e-6)


def test_what_the_exporter_notes_about_our_source_is_dropped(tmp_path) -> None:
    write_folder(tmp_path, np.float16)
    model = onnx.load(tmp_path / "model.onnx")
    note = model.graph.node[0].metadata_props.add()
    note.key, note.value = "stack_trace", "in a folder of ours"
    onnx.save(model, tmp_path / "model.onnx")

    point_to_weights(tmp_path)

    assert b"a folder of ours" not in (tmp_path / "model.onnx").read_bytes()


def test_what_the_exporter_has_changed_stays_in_the_graph(tmp_path) -> None:
    write_folder(tmp_path, np.float16)

    point_to_weights(tmp_path)

    graph = onnx.load(tmp_path / "model.onnx", load_external_data=False).graph
    held = [one.name for one in graph.initializer if not one.external_data]
    assert held == ["model.other"]


def test_other_bytes_in_the_file_are_other_weights(tmp_path) -> None:
    write_folder(tmp_path, np.float32)
    point_to_weights(tmp_path)
    before, _ = answer(tmp_path)

    path = tmp_path / "model.safetensors"
    weights = bytearray(path.read_bytes())
    place = weights.index(WEIGHT.tobytes(), weights.index(WEIGHT.tobytes()) + 1)
    weights[place : place + WEIGHT.nbytes] = bytes(WEIGHT.nbytes)
    path.write_bytes(weights)

    assert not np.allclose(answer(tmp_path)[0], before)


def test_more_than_a_graph_can_hold_is_refused(tmp_path, monkeypatch) -> None:
    write_folder(tmp_path, np.float32)
    monkeypatch.setattr(onnx_weights, "MOST_HELD", 3)

    with pytest.raises(ConfigError, match="can hold 2; export it with --int8"):
        point_to_weights(tmp_path)
