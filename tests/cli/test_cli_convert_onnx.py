"""Tests for cli/convert.py --to onnx; what is written is tested in tests/policies/onnx/."""

import json

import pytest
from tiny_models import a_policy

from tinyvla_gym.policies.tinyvla import onnx_export


@pytest.fixture
def source(tmp_path):
    a_policy().save_pretrained(tmp_path / "source")
    return tmp_path / "source"


@pytest.fixture
def exports(monkeypatch):
    """Notes what would be exported, and writes a small file in its place."""
    asked = []

    def write(policy, folder, *, int8=False):
        asked.append((policy.spec.name, int8))
        folder.mkdir()
        (folder / "model.onnx").write_bytes(b"four")

    monkeypatch.setattr(onnx_export, "export_onnx", write)
    return asked


@pytest.mark.parametrize("int8", [False, True])
def test_a_policy_is_exported_and_its_size_said(cli, source, exports, tmp_path, int8) -> None:
    more = ["--int8"] if int8 else []

    answer = cli(
        *("convert", source, "--to", "onnx", "--out", tmp_path / "new"),
        *("--json", tmp_path / "facts.json", *more),
    )

    assert (answer.code, answer.err) == (0, "")
    assert "MiB" in answer.out
    assert exports == [("tiny", int8)]
    assert json.loads((tmp_path / "facts.json").read_text()) == {
        "to": "onnx",
        "int8": int8,
        "bytes": 4,
    }


def test_a_mistake_is_explained(refused, source, tmp_path) -> None:
    assert "Did you mean 'nano'" in refused(
        "convert", "nanoo", "--to", "onnx", "--out", tmp_path / "new"
    )
    assert "more than a checkpoint" in refused("convert", source, "--to", "onnx", "--out", tmp_path)
