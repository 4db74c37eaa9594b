"""Tests for cli/envs.py."""

import json

import gymnasium as gym

from tinyvla_gym.envs.registration import REACH_ID


def test_every_env_of_ours_is_listed_on_one_line(cli) -> None:
    answer = cli("envs")

    _, *lines = answer.out.splitlines()
    wanted = [name for name in gym.registry if name.startswith("TinyVLA/")]
    assert answer.code == 0
    assert sorted(line.split()[0] for line in lines) == sorted(wanted)
    assert max(len(line) for line in lines) <= 120
    [drawer] = [line for line in lines if "drawer-open" in line]
    assert drawer.split()[-1] == "easy"
    assert "open the drawer" in drawer


def test_the_list_is_written_as_json(cli, tmp_path) -> None:
    cli("envs", "--json", tmp_path / "new" / "envs.json")

    rows = json.loads((tmp_path / "new" / "envs.json").read_text())["envs"]
    assert len(rows) == 53
    assert {"id": REACH_ID, "tier": "", "sentence": ""} in rows
