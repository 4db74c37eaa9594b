"""Tests for training/team.py."""

import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn
from training_runs import log, weights

from tinyvla_gym.errors import ConfigError, TinyVLAError
from tinyvla_gym.training.loop import train
from tinyvla_gym.training.presets import preset
from tinyvla_gym.training.team import Team, run_as_team

X, Y = torch.randn(12, 3, generator=torch.Generator().manual_seed(0)), torch.arange(12.0)[:, None]


def a_net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1), nn.Linear(1, 1))


def learn(team, steps=3):
    """A few steps on this process's share; the last layer is never used."""
    net = a_net()
    used = net[:3]
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    for _ in range(steps):
        optimizer.zero_grad(set_to_none=True)
        rows = slice(team.rank, None, team.size)
        nn.functional.mse_loss(used(X[rows]), Y[rows]).backward()
        team.average_gradients(net)
        optimizer.step()
    return torch.cat([weight.detach().flatten() for weight in net.parameters()])


@pytest.mark.parametrize("size", [2, 3])
def test_a_team_learns_what_one_would_and_all_its_members_the_same(size, tmp_path: Path) -> None:
    def work(team):
        torch.save(learn(team), tmp_path / f"{team.rank}.pt")

    torch.set_num_threads(1)
    run_as_team(size, work)

    learned = [torch.load(tmp_path / f"{rank}.pt") for rank in range(size)]
    torch.testing.assert_close(learned[0], learn(Team(0, 1)), rtol=1e-5, atol=1e-5)
    assert all(torch.equal(one, learned[0]) for one in learned)


def test_a_number_is_averaged_over_the_team() -> None:
    means = []

    def work(team):
        means.append(team.mean(float(team.rank + 1)))

    run_as_team(2, work)

    assert means == [1.5]  # the other process has a list of its own


def test_a_team_of_one_works_here_and_changes_nothing() -> None:
    seen = []

    def work(team):
        seen.append((team.rank, team.size, team.mean(3.0), os.getpid()))

    run_as_team(1, work)

    assert seen == [(0, 1, 3.0, os.getpid())]
    assert torch.equal(learn(Team(0, 1)), learn(Team(0, 1)))


def test_only_rank_0_works_in_this_process(tmp_path: Path) -> None:
    def work(team):
        (tmp_path / str(team.rank)).write_text(str(os.getpid()))

    run_as_team(2, work)

    assert (tmp_path / "0").read_text() == str(os.getpid())
    assert (tmp_path / "1").read_text() != str(os.getpid())


@pytest.mark.parametrize("unlucky", [0, 1])
def test_a_member_that_fails_does_not_leave_the_others_waiting(unlucky) -> None:
    began_s = time.monotonic()

    def work(team):
        if team.rank == unlucky:
            raise ValueError("stumbled")
        team.mean(1.0)

    with pytest.raises((ValueError, RuntimeError)):
        run_as_team(2, work)

    assert time.monotonic() - began_s < 60


def test_after_a_failure_another_team_can_work() -> None:
    def fail(team):
        raise ValueError("stumbled")

    with pytest.raises(ValueError, match="stumbled"):
        run_as_team(2, fail)
    means = []

    run_as_team(2, lambda team: means.append(team.mean(2.0)))

    assert means == [2.0]


@pytest.mark.parametrize("unlucky", [{0}, {1}, {0, 1}])
def test_a_mistake_is_told_once_whoever_finds_it(unlucky, capfd) -> None:
    def work(team):
        team.mean(1.0)
        if team.rank in unlucky:
            raise ConfigError("there is too little of it")
        team.mean(1.0)

    with pytest.raises(TinyVLAError, match="there is too little of it"):
        run_as_team(2, work)

    assert capfd.readouterr().err == ""


def test_an_interrupted_team_ends_without_a_word(capfd) -> None:
    """A terminal interrupts all of its processes at a time."""

    def work(team):
        team.mean(1.0)
        os.kill(os.getpid(), signal.SIGINT)
        team.mean(1.0)

    with pytest.raises(KeyboardInterrupt):
        run_as_team(2, work)

    for process in multiprocessing.active_children():
        process.join()
    assert capfd.readouterr().err == ""


def launched(rank, port, *arguments):
    """Starts this package's ``train`` as a launcher does, as one of two processes."""
    told = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": 2, "LOCAL_WORLD_SIZE": 2}
    where = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    return subprocess.Popen(
        [sys.executable, "-m", "tinyvla_gym.cli.main", "train", *map(str, arguments)],
        env=os.environ | {name: str(value) for name, value in (told | where).items()},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow  # starts Python twice
@pytest.mark.parametrize("how", [(), ("--shard",)], ids=["copies", "pieces"])
def test_launched_processes_learn_what_one_would(
    how, reach_data, reach_frames, reach_spec, tmp_path
) -> None:
    config = replace(preset("tiny"), steps=20, warmup_steps=10, parts=2)
    train(reach_frames, reach_spec, config, tmp_path / "one")
    given = (
        "--data",
        reach_data,
        "--out",
        tmp_path / "two",
        "--preset",
        "tiny",
        "--steps",
        20,
        *how,
    )

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    pair = [launched(rank, port, *given) for rank in range(2)]
    answers = [process.communicate(timeout=300) for process in pair]

    assert [process.returncode for process in pair] == [0, 0], answers
    one, two = ([float(row["loss"]) for row in log(tmp_path / name)] for name in ("one", "two"))
    assert two == pytest.approx(one, rel=1e-4)
    assert weights(tmp_path / "two").keys() == weights(tmp_path / "one").keys()


def test_another_number_of_processes_than_were_launched_is_refused(monkeypatch) -> None:
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "3")

    with pytest.raises(ConfigError, match="launcher has started 3 processes, the settings want 2"):
        run_as_team(2, lambda team: None)


def test_several_processes_on_gpus_need_a_launcher() -> None:
    with pytest.raises(ConfigError, match="need a launcher"):
        run_as_team(2, lambda team: None, "cuda")
