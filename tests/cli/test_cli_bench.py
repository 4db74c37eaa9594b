"""Tests for cli/bench.py."""

import subprocess
import sys

from tinyvla_gym.cli import bench
from tinyvla_gym.cli.main import main


def test_it_hands_over_to_the_checkouts_benchmarks(cli, monkeypatch, tmp_path) -> None:
    asked = []

    def note(command, **settings):
        asked.append((command, settings["env"]["PYTHONPATH"]))
        return subprocess.CompletedProcess(command, 1)

    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "benchmarks/__main__.py").touch()
    monkeypatch.setattr(bench, "_CHECKOUT", tmp_path)
    monkeypatch.setattr(subprocess, "run", note)

    answer = cli("bench", "pixels", "--tasks", "reach,push", "--json", tmp_path / "x.json")

    assert answer.code == 1
    (command, path), *_ = asked
    assert command == [
        *(sys.executable, "-m", "benchmarks", "pixels", "--rounds", "5", "--tasks=reach,push"),
        *("--json", str(tmp_path / "x.json")),
    ]
    assert path.startswith(str(tmp_path))


def test_without_a_checkout_it_says_where_the_benchmarks_are(
    refused, monkeypatch, tmp_path
) -> None:
    monkeypatch.setattr(bench, "_CHECKOUT", tmp_path)

    complaint = refused("bench", "pixels")

    assert "not part of the installed package" in complaint
    assert "Clone the repository" in complaint


def test_a_typo_is_a_sentence(capfd) -> None:
    assert main(["bench", "pixles"]) == 1
    assert "Did you mean 'pixels'" in capfd.readouterr().err
