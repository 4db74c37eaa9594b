"""A paced env waits for the clock, and never hurries."""

import gymnasium as gym

import tinyvla_gym  # noqa: F401 (registers the ids)
from tinyvla_gym.wrappers import RealTime


def test_a_step_takes_its_period_and_a_late_one_is_not_made_up() -> None:
    env = gym.make("TinyVLA/Reach-v0")
    now_s, slept_s = [10.0], []

    def sleep(duration_s):
        slept_s.append(duration_s)
        now_s[0] += duration_s

    paced = RealTime(env, now=lambda: now_s[0], sleep=sleep)
    paced.reset(seed=0)
    action = env.action_space.sample()
    paced.step(action)
    now_s[0] += 0.01
    paced.step(action)
    now_s[0] += 1.0  # somebody looked elsewhere
    paced.step(action)
    paced.step(action)

    period_s = 1 / env.get_wrapper_attr("interface").control_hz
    assert [round(one, 6) for one in slept_s] == [round(period_s - 0.01, 6), round(period_s, 6)]
    env.close()
