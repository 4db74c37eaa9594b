"""The controller in its own process: the same commands as in this one, and stops when it must."""

import builtins
import functools
import multiprocessing
import os
import signal
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import rig_policies
from emulated_rigs import SERIAL, emulated_pair, patient_run
from rigs import FRANKA, PAIR
from simulated_rigs import simulated
from stopping import assert_comes_to_rest, wait_until

from tinyvla_gym.cli.main import main
from tinyvla_gym.envs.rig.env import RigEnv
from tinyvla_gym.policies.load import KINDS
from tinyvla_gym.robots import process
from tinyvla_gym.robots.controller import Controller
from tinyvla_gym.robots.faults import (
    ControlLostFault,
    EnvFaultedError,
    ProtectiveStopFault,
    TargetJumpError,
)
from tinyvla_gym.robots.process import ProcessBody
from tinyvla_gym.robots.readiness import NotReadyError
from tinyvla_gym.robots.rig_file import write_rig
from tinyvla_gym.robots.rows import read_states

RIGS = {"pair": simulated(PAIR), "franka": simulated(FRANKA)}
needs_ur = pytest.mark.skipif(
    find_spec("rtde_control") is None, reason="ur-rtde is not installed: pip install ur-rtde"
)


@pytest.fixture(params=RIGS)
def env(request):
    rig = RIGS[request.param]
    env = RigEnv(rig=rig, body=ProcessBody(rig, live=False), horizon=100)
    yield env
    env.close()


def lifted(env, height_m):
    action = env.observe()["state"].copy()
    action[2::10] += height_m
    return action


def test_the_process_commands_what_the_same_controller_commands_here(env) -> None:
    env.reset()
    home = lifted(env, 0.0)
    taken = env.body._rings.submissions.written
    for height_m in (0.02, 0.04, 0.02, 0.0):
        action = home.copy()
        action[2::10] += height_m
        env.step(action)
    with pytest.raises(TargetJumpError):
        env.step(lifted(env, 0.5))
    env.step(home)
    ticks, _ = env.body.ticks.since(0)
    submissions, _ = env.body._rings.submissions.since(taken)
    answers, _ = env.body._rings.answers.since(env.body._rings.answers.written - len(submissions))
    env.close()

    names = [arm.name for arm in env.rig.arms]
    controller = Controller(
        env.rig, dict(zip(names, read_states(ticks[0]), strict=True)), env.body.begun_s
    )
    worst = 0.0
    for row in ticks:
        now_s = float(row["time_s"])
        controller.heartbeat(now_s)
        for answer, submission in zip(answers, submissions, strict=True):
            if answer["time_s"] == now_s:
                count = int(submission["count"])
                due = zip(submission["due_s"][:count], submission["actions"][:count], strict=True)
                try:
                    controller.submit(now_s, list(due))
                except TargetJumpError:
                    assert answer["error"] == b"TargetJumpError"
        commands = controller.tick(now_s, dict(zip(names, read_states(row), strict=True)))
        for arm, command in enumerate(commands.arms):
            pairs = [(command.tcp_position_m, row["command_position_m"][arm])]
            if command.joints_rad is not None:
                pairs.append((command.joints_rad, row["command_joints_rad"][arm]))
            worst = max(worst, *(float(np.abs(here - there).max()) for here, there in pairs))

    assert len(answers) == 6
    assert np.ptp(ticks["command_position_m"][:, 0], axis=0).max() > 0.01
    assert worst <= 1e-6


def test_a_controller_that_dies_is_a_fault_and_may_be_started_anew(env) -> None:
    env.reset()
    env.step(lifted(env, 0.01))
    os.kill(env.body.process_id, signal.SIGKILL)
    info = env.step(lifted(env, 0.01))[-1]

    assert isinstance(info["fault"], ControlLostFault)
    with pytest.raises(EnvFaultedError):
        env.reset()
    env.reset(options={"recover": True})
    assert env.step(lifted(env, 0.01))[-1]["fault"] is None


def test_silence_between_episodes_is_no_fault(env) -> None:
    env.reset()
    env.body.park()
    time.sleep(env.rig.limits.heartbeat_stop_s + 0.3)

    assert env.body.fault() is None


def test_an_episode_that_is_over_may_be_followed_by_a_pause(env) -> None:
    env.horizon = 1
    env.reset()
    assert env.step(lifted(env, 0.0))[3]
    time.sleep(env.rig.limits.heartbeat_stop_s + 0.3)

    env.reset()
    assert env.step(lifted(env, 0.0))[-1]["fault"] is None


@needs_ur
@pytest.mark.slow
def test_a_protective_stop_of_one_arm_stops_both_within_two_ticks() -> None:
    with emulated_pair(61) as (rig, (left, _)):
        body = ProcessBody(rig, live=True, target=patient_run)
        env = RigEnv(rig=rig, live=SERIAL, body=body, horizon=100)
        env.reset()
        action = lifted(env, 0.0)
        for _ in range(8):
            action[[2, 12]] += 0.01
            env.step(action)
        left.call("machine.protective_stop")
        for _ in range(8):
            _, _, _, truncated, info = env.step(action)
            if truncated:
                break
        time.sleep(1.0)
        ticks, _ = env.body.ticks.since(0)
        env.close()

    assert isinstance(info["fault"], ProtectiveStopFault)
    seen = int(np.argmax((ticks["condition"] != 0).any(axis=1)))
    held = int(np.argmax(ticks["faulted"] & ticks["holding"]))
    assert 0 <= held - seen <= 2
    right = ticks["command_joints_rad"][held:, 1]
    speeds = np.abs(np.diff(right, axis=0)).max(axis=1) / rig.period_s
    assert speeds[0] > 0.02  # it was moving
    assert speeds[-1] < 1e-6
    rest = int(np.argmax(speeds < 1e-6))
    assert (np.diff(speeds[3:rest]) <= 1e-3).all()  # and only ever slowed down


@needs_ur
@pytest.mark.slow
def test_a_controller_that_knows_another_tool_is_not_driven() -> None:
    with emulated_pair(63) as (rig, (left, _)):
        x_m, y_m, z_m = rig.arms[0].tcp_offset_m
        left.call("machine.set_tool", (x_m, y_m, z_m + 0.05), rig.arms[0].payload_kg)
        before = left.look("machine.joints_rad")
        body = ProcessBody(rig, live=True, target=patient_run)
        env = RigEnv(rig=rig, live=SERIAL, body=body)

        with pytest.raises(NotReadyError, match=r"arm left has its TCP 50\.0 mm away"):
            env.reset()

        np.testing.assert_array_equal(left.look("machine.joints_rad"), before)
        env.close()


def drive_for_ever(pipe, rig):
    """An env in a process of its own that moves both tools up and down until it is killed."""
    body = ProcessBody(rig, live=True, target=patient_run)
    env = RigEnv(rig=rig, live=SERIAL, body=body, horizon=10_000)
    env.reset()
    pipe.send(env.body.process_id)
    home = env.observe()["state"].copy()
    for tick in range(10_000):
        action = home.copy()
        action[[2, 12]] += 0.08 * np.sin(tick / 15 * 2.5)
        env.step(action)


@needs_ur
@pytest.mark.slow
@pytest.mark.parametrize("victim", ["env", "controller"])
def test_whoever_is_killed_the_arms_come_to_rest(victim) -> None:
    with emulated_pair(71 if victim == "env" else 75) as (rig, emulators):
        context = multiprocessing.get_context("spawn")
        pipe, theirs = context.Pipe()
        driver = context.Process(target=drive_for_ever, args=(theirs, rig))
        driver.start()
        assert pipe.poll(60.0), "it never began"
        controller = pipe.recv()
        dies = driver.pid if victim == "env" else controller
        try:
            assert_comes_to_rest(rig, emulators, victim, lambda: os.kill(dies, signal.SIGKILL))
        finally:
            driver.kill()
            driver.join()
        wait_until(lambda: not Path(f"/proc/{controller}/stat").exists())


def drive_on_the_command_line(pipe, rig_file, folder):
    """Drives until somebody ends it; tells the exit status."""
    os.setpgrp()
    KINDS.update(rig_policies.KINDS)
    builtins.input = lambda _: SERIAL
    process.run = patient_run
    arguments = ("drive", rig_file, "--policy", folder, "--live", "--seconds", "600")
    pipe.send(main([*map(str, arguments)]))


@needs_ur
@pytest.mark.slow
@pytest.mark.parametrize(("victim", "status"), [("policy", 1), ("Ctrl-C", 130)])
def test_when_a_drive_is_broken_off_the_arms_come_to_rest(tmp_path, victim, status) -> None:
    context = multiprocessing.get_context("spawn")
    (ours, theirs), (pipe, driven) = context.Pipe(), context.Pipe()
    server = context.Process(target=rig_policies.plan_for_ever, args=(theirs,), daemon=True)
    server.start()
    with emulated_pair(81 if victim == "policy" else 85) as (rig, emulators):
        rig_file = tmp_path / "rig.yaml"
        rig_file.write_text(write_rig(rig))
        assert ours.poll(60.0), "nobody plans"
        folder = rig_policies.save(tmp_path / "it", "elsewhere", rig_file, address=ours.recv())
        driver = context.Process(target=drive_on_the_command_line, args=(driven, rig_file, folder))
        driver.start()
        try:
            interrupt = functools.partial(os.killpg, driver.pid, signal.SIGINT)
            ends = server.kill if victim == "policy" else interrupt
            assert_comes_to_rest(rig, emulators, victim, ends)
            assert pipe.poll(30.0), "drive never ended"
            assert pipe.recv() == status
        finally:
            driver.kill()
            driver.join()
