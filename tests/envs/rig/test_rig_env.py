"""The env around a rig, in virtual time: its grid, its faults, its refusals, its chunks."""

import os
from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import data_equivalence
from rigs import FRANKA, PAIR
from simulated_rigs import simulated

from tinyvla_gym.contracts import check_env
from tinyvla_gym.envs.registration import RIG_IDS
from tinyvla_gym.envs.rig.env import RigEnv
from tinyvla_gym.envs.rig.success import Keys
from tinyvla_gym.errors import (
    ActionNotFiniteError,
    ConfigError,
    LiveEnvError,
    PolicyLostError,
    UnknownNameError,
)
from tinyvla_gym.evaluation.agents import make_agent
from tinyvla_gym.robots.body import VirtualBody
from tinyvla_gym.robots.camera import Frame
from tinyvla_gym.robots.drivers.simulated import SimulatedArm
from tinyvla_gym.robots.faults import (
    ActionFormatError,
    CameraFault,
    EnvFaultedError,
    OperatorRequired,
    ProtectiveStopFault,
    TargetJumpError,
)
from tinyvla_gym.robots.readiness import NotReadyError
from tinyvla_gym.robots.state import Condition
from tinyvla_gym.wrappers.chunk import ExecuteChunk

ABSOLUTE_POSES = pytest.mark.filterwarnings(
    # Actions in metres and radians are neither symmetric nor within [-1, 1], and should not be.
    "ignore:.*we recommend using a symmetric and normalized space:UserWarning"
)
RIGS = {"TinyVLA/FrankaRig-v0": FRANKA, "TinyVLA/UR5Rig-v0": PAIR}


class FaultyArm(SimulatedArm):
    """A simulated arm that reports what a test wants it to."""

    condition = Condition.OK

    def read(self, now_s):
        state = super().read(now_s)
        return state if self.condition is Condition.OK else replace(state, condition=self.condition)

    def recover(self):
        super().recover()
        self.condition = Condition.OK


def faulty_pair(**options):
    rig = simulated(PAIR)
    arms = [FaultyArm(arm, period_s=rig.period_s) for arm in rig.arms]
    return RigEnv(rig=rig, body=VirtualBody(rig, arms), horizon=20, **options), arms


def home_action(env, lift_m=0.0):
    """The home pose of every arm, lifted a little."""
    action = env.unwrapped.observe()["state"].copy()
    action[2::10] += lift_m
    return action


def test_the_ids_are_those_of_two_makes() -> None:
    assert set(RIG_IDS) == set(RIGS)


@ABSOLUTE_POSES
@pytest.mark.parametrize("name", RIGS)
@pytest.mark.parametrize("mode", ["ee", "native"])
def test_every_rig_keeps_every_promise(name: str, mode: str) -> None:
    check_env(gym.make(name, rig=simulated(RIGS[name]), horizon=5, action_mode=mode))


def test_episodes_in_virtual_time_repeat_bit_by_bit(pair: RigEnv) -> None:
    pair.action_space.seed(3)
    actions = [pair.action_space.sample() for _ in range(5)]

    def episode():
        return [pair.reset(seed=1), *(pair.step(action) for action in actions)]

    assert data_equivalence(episode(), episode(), exact=True)


def test_an_arm_goes_where_an_action_asks_it_to(pair: RigEnv) -> None:
    before = pair.reset()[0]["state"]
    action = home_action(pair, lift_m=0.02)
    for _ in range(15):
        observation, _, _, _, info = pair.step(action)

    np.testing.assert_allclose(observation["state"][[2, 12]], before[[2, 12]] + 0.02, atol=1e-3)
    np.testing.assert_allclose(info["sent_action"], action, atol=1e-3)
    assert info["late_ms"] == 0.0


def test_steps_end_on_the_grid_and_late_ones_skip_to_it() -> None:
    env, _ = faulty_pair()
    env.reset()
    start_s = env.body.now()
    action = home_action(env)
    ends_s = []
    for dawdled_s in (0.0, 0.01, 0.1, 0.0):
        env.body.wait_until(env.body.now() + dawdled_s)
        late_ms = env.step(action)[-1]["late_ms"]
        ends_s.append((round(15 * (env.body.now() - start_s), 1), late_ms > 0))

    assert [late for _, late in ends_s] == [False, False, True, False]
    np.testing.assert_allclose([end for end, _ in ends_s], [1, 2, 4, 5], atol=0.13)


def test_a_refused_action_makes_the_arms_hold_and_another_may_follow(pair: RigEnv) -> None:
    pair.reset()
    far = home_action(pair, lift_m=0.3)
    with pytest.raises(TargetJumpError):
        pair.step(far)
    held = pair.step(home_action(pair))

    assert not held[3]
    assert "TargetJumpError" in [event.name for event in held[-1]["safety"]]


def test_what_is_no_number_is_refused_and_told(pair: RigEnv) -> None:
    pair.reset()
    action = home_action(pair)
    with pytest.raises(ActionFormatError, match=r"20 numbers .* got float32 of shape \(3,\)"):
        pair.step(action[:3])
    with pytest.raises(ActionNotFiniteError):
        pair.step(np.full(20, np.nan, np.float32))

    assert [event.rule for event in pair.step(action)[-1]["safety"]] == [2]


def test_a_fault_truncates_once_and_stays_until_it_is_recovered() -> None:
    env, (left, _) = faulty_pair()
    env.reset()
    action = home_action(env)
    env.step(action)
    left.condition = Condition.PROTECTIVE_STOP

    _, _, terminated, truncated, info = env.step(action)

    assert truncated
    assert not terminated
    assert isinstance(info["fault"], ProtectiveStopFault)
    assert info["fault"].arm == "left"
    assert [event.rule for event in info["safety"]][-1] == 20
    with pytest.raises(EnvFaultedError, match="recover"):
        env.step(action)
    with pytest.raises(EnvFaultedError):
        env.reset()
    env.reset(options={"recover": True})
    assert env.step(action)[-1]["fault"] is None


def test_what_needs_a_person_is_not_recovered() -> None:
    env, (_, right) = faulty_pair()
    env.reset()
    right.condition = Condition.EMERGENCY_STOP
    env.step(home_action(env))

    with pytest.raises(OperatorRequired):
        env.reset(options={"recover": True})


class FrozenCamera:
    """Shows its first picture for ever."""

    def __init__(self, size=24):
        self.frame = Frame(picture=np.zeros((size, size, 3), np.uint8), time_s=0.0, sequence=0)

    def open(self):
        pass

    def read(self):
        return self.frame

    def close(self):
        pass


def test_a_frozen_camera_is_told_and_then_ends_the_episode() -> None:
    rig = simulated(FRANKA)
    body = VirtualBody(rig)
    cameras = {camera.name: FrozenCamera() for camera in rig.cameras}
    env = RigEnv(rig=rig, body=body, cameras=cameras, horizon=50)
    env.reset()
    action = home_action(env)
    told, ages_s = [], []
    truncated = False
    while not truncated:
        _, _, _, truncated, info = env.step(action)
        told.append({event.name for event in info["safety"] if event.rule == 18})
        ages_s.append(info["ages_s"]["left"])

    assert isinstance(info["fault"], CameraFault)
    assert told[0] == set()
    assert told[-1] == {"camera_stale"}
    limit_s = rig.limits.camera_stop_s
    assert ages_s[-2] <= limit_s < ages_s[-1]


def test_a_chunk_is_driven_through(pair: RigEnv) -> None:
    def heights(env, act):
        start = env.reset()[0]["state"][2]
        home = home_action(env)
        ahead = [home.copy() for _ in range(6)]
        for index, action in enumerate(ahead):
            action[[2, 12]] += 0.008 * (index + 1)
        act(env, np.stack(ahead))
        return env.observe()["state"][2] - start

    def row_by_row(env, chunk):
        for row in chunk:
            env.step(row)

    submissions = []
    submit = pair.body.submit
    pair.body.submit = lambda due: (submissions.append(len(due)), submit(due))[1]
    singly = heights(pair, row_by_row)
    assert submissions == [1] * 6
    submissions.clear()
    wrapped = ExecuteChunk(pair, execute=6)
    together = heights(pair, lambda _, chunk: wrapped.step(chunk))

    # The first was due before the arm's own lag had passed; the arm is ahead of single steps.
    assert submissions == [5]
    assert together > singly


def test_a_chunk_with_a_jump_moves_nothing(pair: RigEnv) -> None:
    pair.reset()
    chunk = np.stack([home_action(pair), home_action(pair, lift_m=0.4)])
    before = pair.observe()["state"]
    with pytest.raises(TargetJumpError):
        ExecuteChunk(pair, execute=2).step(chunk)
    pair.step(home_action(pair))

    np.testing.assert_allclose(pair.observe()["state"], before, atol=1e-4)


def test_live_must_be_the_serial() -> None:
    rig = simulated(PAIR)
    with pytest.raises(ConfigError, match="is not the serial"):
        RigEnv(rig=rig, live="yes")
    with pytest.raises(ConfigError, match="no serial yet"):
        RigEnv(rig=replace(rig, serial="unset"), live="unset")


def test_two_real_arms_that_were_never_calibrated_are_not_moved() -> None:
    rig = replace(PAIR, serial="REAL-1", calibration_residual_m=None)
    with pytest.raises(NotReadyError, match="not been calibrated to each other"):
        RigEnv(rig=rig, live="REAL-1")
    with pytest.raises(NotReadyError, match=r"known to 6\.0 mm only"):
        RigEnv(rig=replace(rig, calibration_residual_m=0.006), live="REAL-1")


def test_nobody_plays_at_random_with_a_live_rig() -> None:
    env = RigEnv(rig=simulated(PAIR), live="SIM-1")
    for act in (
        lambda: check_env(env),
        lambda: make_agent("random", None, env),
        lambda: env.action_space.sample(),
    ):
        with pytest.raises(LiveEnvError, match="real arms"):
            act()


def test_an_id_is_for_one_make() -> None:
    with pytest.raises(ConfigError, match="Use TinyVLA/UR5Rig-v0"):
        gym.make("TinyVLA/FrankaRig-v0", rig=simulated(PAIR))


def test_success_is_a_comparison_or_a_function_or_a_key(monkeypatch) -> None:
    rig = simulated(FRANKA)
    env = RigEnv(rig=rig, success="tcp_z_m > 0.1", horizon=3)
    env.reset()
    assert env.step(home_action(env))[2]
    env = RigEnv(rig=rig, success=lambda observation: observation["state"][2] < 0.1, horizon=3)
    env.reset()
    assert not env.step(home_action(env))[2]
    for text, kind, words in (
        ("tcp_zz_m > 0", UnknownNameError, "tcp_z_m"),
        ("high", ConfigError, "a comparison such as"),
    ):
        with pytest.raises(kind, match=words):
            RigEnv(rig=rig, success=text)


@pytest.mark.parametrize(
    ("key", "terminated", "truncated"), [("s", True, False), ("f", False, True)]
)
def test_the_operator_ends_an_episode_by_a_key(key, terminated, truncated) -> None:
    reading, writing = os.pipe()
    with open(reading) as stream, open(writing, "w") as operator:
        env = RigEnv(rig=simulated(FRANKA), success=Keys(stream))
        env.reset()
        assert env.step(home_action(env))[2:4] == (False, False)
        operator.write(f"{key}\n")
        operator.flush()
        assert env.step(home_action(env))[2:4] == (terminated, truncated)


def test_whoever_is_watched_is_watched_while_a_step_waits() -> None:
    looks = []

    def gone_at_the_third_look():
        looks.append(env.body.now())
        if len(looks) == 3:
            raise PolicyLostError("it", "its server is gone.")

    env = RigEnv(rig=simulated(FRANKA), watch=gone_at_the_third_look)
    env.reset()
    with pytest.raises(PolicyLostError):
        env.step(home_action(env))

    np.testing.assert_allclose(np.diff(looks), 0.01, atol=0.005)


def test_render_shows_the_cameras_side_by_side(pair: RigEnv) -> None:
    pair.reset()
    assert pair.render().shape == (24, 72, 3)
