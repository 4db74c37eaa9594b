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

    def write(rounding):
        def put(policy, folder, half=False, card=""):
            asked.append((policy.spec.name, rounding or half, card))
            folder.mkdir()
            (folder / "model.onnx").write_bytes(b"four")

        return put

    monkeypatch.setattr(onnx_export, "export_onnx", write(""))
    monkeypatch.setattr(onnx_export, "export_int8", write("int8"))
    return asked


@pytest.mark.parametrize("rounding", ["", "half", "int8"])
def test_a_policy_is_exported_and_its_size_said(cli, source, exports, tmp_path, rounding) -> None:
    (source / "README.md").write_text("# its card")
    more = [f"--{rounding}"] if rounding else []

    answer = cli(
        *("convert", source, "--to", "onnx", "--out", tmp_path / "new"),
        *("--json", tmp_path / "facts.json", *more),
    )

    assert (answer.code, answer.err) == (0, "")
    assert "MiB" in answer.out
    card = "" if rounding == "int8" else "# its card"
    assert exports == [("tiny", {"": False, "half": True}.get(rounding, rounding), card)]
    assert json.loads((tmp_path / "facts.json").read_text()) == {
        "to": "onnx",
        "int8": rounding == "int8",
        "half": rounding == "half",
        "bytes": 4,
    }


def test_a_mistake_is_explained(refused, source, tmp_path) -> None:
    assert "Did you mean 'nano'" in refused(
        "convert", "nanoo", "--to", "onnx", "--out", tmp_path / "new"
    )
    assert "more than a checkpoint" in refused("convert", source, "--to", "onnx", "--out", tmp_path)
    assert "--to onnx knows no --tokenizer and no --name; leave them out" in refused(
        *("convert", source, "--to", "onnx", "--tokenizer", "bytes", "--name", "new"),
        *("--out", tmp_path / "new"),
    )
    assert "choose one" in refused(
        *("convert", source, "--to", "onnx", "--half", "--int8", "--out", tmp_path / "new")
    )
