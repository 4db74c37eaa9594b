"""Rigs as envs, the vendors' real clients inside, against emulated controllers."""

import gymnasium as gym
import pytest
from emulated_rigs import EMULATED, SERIAL, emulated_pair, patient_run

from tinyvla_gym.contracts import check_env
from tinyvla_gym.envs.registration import rig_id
from tinyvla_gym.envs.rig.env import RigEnv
from tinyvla_gym.robots.faults import ControlLostFault, EnvFaultedError, OperatorRequired
from tinyvla_gym.robots.process import ProcessBody

pytestmark = pytest.mark.slow
needs_ur = EMULATED[0].marks[0]
EXCEPTION = pytest.mark.filterwarnings(
    # Actions in metres and radians are neither symmetric nor within [-1, 1], and should not be.
    "ignore:.*we recommend using a symmetric and normalized space:UserWarning"
)


@EXCEPTION
@pytest.mark.parametrize("emulated", EMULATED)
def test_every_promise_is_kept_with_real_clients(emulated) -> None:
    """Samples of the action space are drawn near home; a rig's episodes need not repeat.

    Gymnasium's render check makes a second env meanwhile, but an FR3 talks to one client at a time.
    """
    with emulated(101) as (rig, _):
        env = gym.make(rig_id(rig.arms[0].model), rig=rig, horizon=5)
        check_env(env, skip_render_check=rig.arms[0].model == "fr3")
        assert env.unwrapped.render().shape == (24, 24 * len(rig.cameras), 3)
        env.close()


def live_pair(rig):
    body = ProcessBody(rig, live=True, target=patient_run)
    env = RigEnv(rig=rig, live=SERIAL, body=body, horizon=1000)
    env.reset()
    return env, env.observe()["state"].copy()


def until_truncated(env, action):
    """Steps until the env says that it is over."""
    for _ in range(60):
        _, _, terminated, truncated, info = env.step(action)
        assert not terminated
        if truncated:
            return info
    raise AssertionError("nothing was noticed")


def assert_faulted(env, action):
    with pytest.raises(EnvFaultedError, match="recover"):
        env.step(action)
    with pytest.raises(EnvFaultedError):
        env.reset()


@needs_ur
def test_a_broken_connection_truncates_and_stays_until_it_is_recovered() -> None:
    with emulated_pair(105) as (rig, (_, right)):
        env, home = live_pair(rig)
        env.step(home)
        right.call("drop_sockets")
        info = until_truncated(env, home)

        assert isinstance(info["fault"], ControlLostFault)  # the client may take its process along
        assert_faulted(env, home)
        env.reset(options={"recover": True})
        assert env.step(home)[-1]["fault"] is None
        env.close()


@needs_ur
def test_without_remote_control_nothing_is_recovered_until_a_person_was_there() -> None:
    with emulated_pair(109) as (rig, (left, _)):
        env, home = live_pair(rig)
        env.step(home)
        left.put("faults.remote_control", False)
        left.call("machine.stop_program")  # as the pendant does
        info = until_truncated(env, home)

        assert isinstance(info["fault"], ControlLostFault)
        assert_faulted(env, home)
        with pytest.raises(OperatorRequired, match="remote control is switched off"):
            env.reset(options={"recover": True})
        with pytest.raises(EnvFaultedError):
            env.step(home)
        left.put("faults.remote_control", True)
        env.reset(options={"recover": True})
        assert env.step(home)[-1]["fault"] is None
        env.close()
