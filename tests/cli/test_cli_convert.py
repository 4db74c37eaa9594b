"""Tests for cli/convert.py."""

import json

import pytest
from released_folders import INTERFACE, write_base, write_run

from tinyvla_gym.policies.load import load_policy
from tinyvla_gym.policies.tinyvla.pretrained import load_backbone

FRANKA = ("--cameras", "left", "right", "--size", "56", "56", "--tokenizer", "bytes")


def test_a_run_becomes_a_policy(cli, tmp_path) -> None:
    write_run(tmp_path / "run")

    answer = cli(
        "convert",
        tmp_path / "run",
        *FRANKA,
        "--out",
        tmp_path / "ours",
        "--name",
        "imported",
        "--json",
        tmp_path / "made.json",
    )

    policy = load_policy(tmp_path / "ours")
    assert answer.code == 0
    assert "policy of 0.3 million weights" in answer.out
    assert json.loads((tmp_path / "made.json").read_text())["weights"] == policy.parameters
    assert (policy.spec.name, policy.spec.interface) == ("imported", INTERFACE)


def test_a_base_becomes_a_backbone(cli, tmp_path) -> None:
    write_base(tmp_path / "base")

    answer = cli("convert", tmp_path / "base", "--tokenizer", "bytes", "--out", tmp_path / "ours")

    assert answer.code == 0
    assert "backbone of 0.1 million weights" in answer.out
    assert load_backbone(tmp_path / "ours").name == "llava_pythia"


def test_an_interface_may_come_from_a_file(cli, tmp_path) -> None:
    write_run(tmp_path / "run")
    (tmp_path / "interface.json").write_text(json.dumps(INTERFACE.to_dict()))

    answer = cli(
        "convert",
        tmp_path / "run",
        "--tokenizer",
        "bytes",
        "--out",
        tmp_path / "ours",
        "--interface",
        tmp_path / "interface.json",
    )

    assert answer.code == 0
    assert load_policy(tmp_path / "ours").spec.interface == INTERFACE


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["{tmp}/gone"], "there is no such folder"),
        (["{tmp}"], "it has no config.json"),
        (["{tmp}/run"], "it has no tokenizer.json"),
        (["{tmp}/run", *FRANKA, "--interface", "{tmp}/gone.json"], "franka or a JSON file"),
        (["{tmp}/run", *FRANKA, "--statistics", "{tmp}/gone.pkl"], "it has no gone.pkl"),
        (["{tmp}/run", *FRANKA, "--layers", "2"], "a run of the released code knows no --layers"),
        (["{tmp}/base", *FRANKA], "a released base knows no --size; leave it out"),
        (["{tmp}/base", "--no-coarse-levels"], "a released base knows no --no-coarse-levels"),
        (["{tmp}/vlm", "--keep-adapters"], "a model of transformers knows no --keep-adapters"),
        (
            ["{tmp}/run", *FRANKA, "--interface", "{tmp}/interface.json"],
            "--interface FILE knows no --size",
        ),
    ],
)
def test_a_mistake_is_explained(arguments, complaint, refused, tmp_path) -> None:
    write_run(tmp_path / "run")
    write_base(tmp_path / "base")
    (tmp_path / "vlm").mkdir()
    (tmp_path / "vlm" / "config.json").write_text('{"model_type": "smolvlm"}')
    (tmp_path / "interface.json").write_text(json.dumps(INTERFACE.to_dict()))
    given = [argument.format(tmp=tmp_path) for argument in arguments]

    assert complaint in refused("convert", *given, "--out", tmp_path / "ours")
    assert not (tmp_path / "ours").exists()
