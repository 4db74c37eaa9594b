"""Tests for cli/drive.py: recorded episodes, on simulated and on emulated rigs."""

import os
import signal
import subprocess
import sys
import time
from importlib.util import find_spec

import numpy as np
import pytest
import rig_policies
from emulated_rigs import EMULATED, SERIAL, emulated_pair, patient_run
from rigs import FRANKA, PAIR
from simulated_rigs import simulated

from tinyvla_gym.chunking import RecedingHorizon
from tinyvla_gym.data.lerobot import Dataset
from tinyvla_gym.envs.rig.env import RigEnv
from tinyvla_gym.loop import rollout
from tinyvla_gym.policies.simple import ReplayPolicy
from tinyvla_gym.robots.codecs import rig_interface
from tinyvla_gym.robots.coordinates import kinematics_of
from tinyvla_gym.robots.native import NativeFileError, read_native
from tinyvla_gym.robots.rig_file import parse_rig, write_rig


@pytest.fixture
def rig_file(tmp_path):
    """Writes a rig and returns its path."""

    def write(rig):
        path = tmp_path / "rig.yaml"
        path.write_text(write_rig(rig))
        return path

    return write


@pytest.mark.parametrize("rig", [PAIR, FRANKA], ids=["pair", "franka"])
def test_a_drive_is_recorded_at_two_rates(cli, rig_file, tmp_path, rig) -> None:
    rig = simulated(rig)
    out = tmp_path / "drives"
    orders = (rig_file(rig), "--policy", "random", "--seconds", "0.8", "--record", out)
    assert cli("drive", *orders).code == 0
    assert cli("drive", *orders, "--seed", "1").code == 0

    dataset = Dataset(out)
    assert len(dataset) == 2
    episode = dataset.episode(1)
    assert episode.state.shape[0] == 12
    assert set(episode.images) == {camera.name for camera in rig.cameras}
    header, ticks, events = read_native(out / "native" / "episode-000001.native")
    assert header["seed"] == 1
    assert parse_rig(header["rig"], name="it") == rig
    assert len(ticks) == pytest.approx(0.8 / rig.period_s, abs=2)
    assert (np.diff(ticks["time_s"]) > 0).all()
    assert {event["rule"] for event in events} <= {9, 13}


def test_a_side_file_that_was_cut_short_is_read_up_to_there(tmp_path, cli, rig_file) -> None:
    out = tmp_path / "drives"
    cli("drive", rig_file(simulated(FRANKA)), "--policy", "random", "--seconds", "0.5",
        "--record", out)  # fmt: skip
    path = out / "native" / "episode-000000.native"
    _, whole, _ = read_native(path)
    path.write_bytes(path.read_bytes()[:-7])
    _, cut, _ = read_native(path)
    assert len(whole) - 1 <= len(cut) <= len(whole)
    assert cut.tobytes() == whole[: len(cut)].tobytes()
    path.write_bytes(b"something else\n")
    with pytest.raises(NativeFileError, match="first line"):
        read_native(path)


def test_a_recording_that_was_broken_off_goes_on(cli, rig_file, tmp_path, monkeypatch) -> None:
    out = tmp_path / "drives"
    orders = ("drive", rig_file(simulated(FRANKA)), "--policy", "random", "--seconds", "0.5",
              "--record", out)  # fmt: skip
    ends = iter([None, KeyboardInterrupt])

    def interrupted(env, agent, *, seed, listeners):
        if end := next(ends):
            raise end
        return rollout(env, agent, seed=seed, listeners=listeners)

    with monkeypatch.context() as patch:
        patch.setattr("tinyvla_gym.loop.rollout", interrupted)
        assert cli(*orders, "--episodes", "2").code == 130
    assert cli(*orders, "--seed", "1").code == 0

    assert len(Dataset(out)) == 2


def test_a_drive_that_is_killed_leaves_what_the_rig_told(tmp_path, rig_file) -> None:
    rig = simulated(FRANKA)
    out = tmp_path / "drives"
    command = [sys.executable, "-m", "tinyvla_gym.cli.main", "drive", rig_file(rig), "--policy",
               "random", "--seconds", "9999", "--record", out]  # fmt: skip
    process = subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL)
    path = out / "native" / "episode-000000.native"
    deadline_s = time.monotonic() + 60.0
    while not path.exists() or path.stat().st_size < 200_000:
        assert time.monotonic() < deadline_s
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()

    _, ticks, _ = read_native(path)
    assert len(ticks) > 100
    np.testing.assert_allclose(np.diff(ticks["time_s"]), rig.period_s)


def test_somebody_must_drive(refused, rig_file) -> None:
    path = rig_file(simulated(FRANKA))
    assert "--policy, --teleop, or both" in refused("drive", path)
    assert "module:function" in refused("drive", path, "--teleop", "nowhere:nothing")
    assert "keyboard" in refused("drive", path, "--teleop", "nowhere")


def test_live_asks_for_the_serial_and_refuses_random(refused, rig_file, monkeypatch) -> None:
    path = rig_file(simulated(FRANKA))
    monkeypatch.setattr("builtins.input", lambda _: "yes")
    assert "not its serial" in refused("drive", path, "--policy", "random", "--live")
    monkeypatch.setattr("builtins.input", lambda _: "SIM-1")
    assert "real arms" in refused("drive", path, "--policy", "random", "--live")


def test_a_person_over_the_policys_shoulder_is_told_apart_in_every_tick(
    cli, rig_file, tmp_path, monkeypatch
) -> None:
    monkeypatch.setattr("tinyvla_gym.policies.load.KINDS", rig_policies.KINDS)
    path = rig_file(simulated(FRANKA))
    policy = rig_policies.save(tmp_path / "policy", "lifting", path)
    out = tmp_path / "drives"
    answer = cli("drive", path, "--policy", policy, "--teleop", "rig_policies:hand",
                 "--seconds", "2", "--record", out)  # fmt: skip

    assert answer.code == 0, answer
    episode = Dataset(out).episode(0)
    assert list(episode.sources) == ["policy"] * 10 + ["human"] * 8 + ["policy"] * 12
    y_m = episode.state[:, 1]
    assert y_m[19] > y_m[10] + 0.005  # the person pushed it aside
    np.testing.assert_allclose(y_m[25:], y_m[25], atol=1e-3)  # and the policy left it there
    assert y_m[25] > y_m[10] + 0.005
    assert episode.state[-1, 2] > episode.state[0, 2] + 0.04


def test_a_person_has_keys_of_its_own_for_success(refused, rig_file) -> None:
    path = rig_file(simulated(FRANKA))
    words = refused("drive", path, "--teleop", "keyboard", "--success", "key")
    assert "a person's device has keys" in words


@pytest.mark.slow
@pytest.mark.parametrize("emulated", EMULATED)
def test_an_episode_on_an_emulated_rig_is_recorded_reopened_and_replayed(
    cli, rig_file, tmp_path, monkeypatch, emulated
) -> None:
    monkeypatch.setattr("tinyvla_gym.policies.load.KINDS", rig_policies.KINDS)
    monkeypatch.setattr("tinyvla_gym.robots.process.run", patient_run)
    monkeypatch.setattr("builtins.input", lambda _: SERIAL)
    out = tmp_path / "drives"
    with emulated(91) as (rig, _):
        path = rig_file(rig)
        policy = rig_policies.save(tmp_path / "policy", "lifting", path)
        height = rig_interface(rig).state[rig_policies.HEIGHT]
        home_m, _ = kinematics_of(rig.arms[0]).tool_pose(np.array(rig.arms[0].home_rad))
        answer = cli(
            *("drive", path, "--policy", policy, "--teleop", "rig_policies:hand", "--live"),
            *("--success", f"{height} > {home_m[2] + 0.045:.4f}"),
            *("--seconds", "6", "--record", out),
        )

    assert answer.code == 0, answer
    assert "success" in answer.out
    episode = Dataset(out).episode(0)
    assert set(episode.images) == {camera.name for camera in rig.cameras}
    assert episode.source.startswith("policy 10, human 8, policy ")
    assert episode.success[-1]
    _, ticks, _ = read_native(out / "native" / "episode-000000.native")
    assert len(ticks) > 20 * len(episode.action) / 15
    moved_rad = np.ptp(ticks["joints_rad"][:, 0], axis=0)
    assert moved_rad.max() > 0.02  # the real client moved it
    told = np.isfinite(ticks["external_torques_nm"]).all()
    assert told == rig.arms[0].model.startswith("f")  # a UR tells none
    assert_replays(rig, episode)


def assert_replays(rig, episode):
    """In virtual time, the same actions lead to the same place."""
    env = RigEnv(rig=simulated(rig), horizon=len(episode.action))
    replay = RecedingHorizon(ReplayPolicy(env.interface, episode.action, horizon=1))
    rollout(env, replay)
    reached_m = env.observe()["state"][:3]
    np.testing.assert_allclose(reached_m, episode.state[-1][:3], atol=0.03)


@pytest.mark.slow
@pytest.mark.skipif(find_spec("rtde_control") is None, reason="ur-rtde is not installed")
def test_somebody_of_ones_own_drives_the_emulated_pair(
    cli, rig_file, tmp_path, monkeypatch
) -> None:
    monkeypatch.setattr("tinyvla_gym.robots.process.run", patient_run)
    monkeypatch.setattr("builtins.input", lambda _: SERIAL)
    with emulated_pair(95) as (rig, (left, _)):
        answer = cli(
            *("drive", rig_file(rig), "--teleop", "lifter:Lifter", "--live"),
            *("--success", "left_tcp_z_m > 0.35", "--seconds", "4"),
        )
        lifted_rad = left.look("machine.joints_rad")

    assert answer.code == 0, answer
    assert "success" in answer.out
    assert np.abs(lifted_rad - rig.arms[0].home_rad).max() > 0.02
