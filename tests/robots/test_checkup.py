"""Rates and waits, in virtual time."""

import itertools
from dataclasses import replace

import pytest

from tinyvla_gym.errors import ConfigError
from tinyvla_gym.robots.checkup import check_file, check_rhythm
from tinyvla_gym.robots.drivers.choose import arm_driver
from tinyvla_gym.robots.rig_file import load_rig


def rhythm(stamp, *, wanted_hz=100.0, longest_s=0.05):
    clock = itertools.count()
    time_s = [0.0]

    def sleep(seconds_s):
        time_s[0] += seconds_s

    next(clock)
    rate, wait = check_rhythm(
        "left",
        stamp,
        wanted_hz=wanted_hz,
        longest_s=longest_s,
        now=lambda: time_s[0],
        sleep=sleep,
    )
    return rate, wait


def test_a_steady_source_is_fine() -> None:
    rate, wait = rhythm(lambda now_s: now_s // 0.01 * 0.01)

    assert (rate.verdict, wait.verdict) == ("ok", "ok")
    assert rate.fact == "100 Hz of 100"
    assert wait.fact == "10 ms (99 %), 10 ms at most"


def test_a_slow_source_is_named() -> None:
    rate, wait = rhythm(lambda now_s: now_s // 0.02 * 0.02)

    assert (rate.verdict, wait.verdict) == ("broken", "ok")
    assert rate.fact == "50 Hz of 100"


def test_one_long_wait_is_named_though_the_rate_is_good() -> None:
    rate, wait = rhythm(lambda now_s: 0.99 if 1.0 < now_s < 1.07 else now_s // 0.01 * 0.01)

    assert (rate.verdict, wait.verdict) == ("ok", "broken")


def test_silence_is_one_long_wait() -> None:
    rate, wait = rhythm(lambda now_s: 0.0)

    assert (rate.fact, rate.verdict) == ("0 Hz of 100", "broken")
    assert wait.fact.endswith("2000 ms at most") or wait.fact.endswith("2005 ms at most")
    assert wait.remedy


@pytest.mark.parametrize(
    ("residual_m", "live", "verdict"),
    [(None, False, "warn"), (None, True, "broken"), (0.006, True, "broken"), (0.004, True, "ok")],
)
def test_two_arms_may_move_only_if_they_know_where_the_other_one_is(
    residual_m, live: bool, verdict: str
) -> None:
    rig = replace(load_rig("ur5e_bimanual"), calibration_residual_m=residual_m)
    verdicts = {one.name: one.verdict for one in check_file(rig, live=live)}

    assert verdicts == {"serial": "warn", "calibration": verdict}


@pytest.mark.parametrize("rig", ["franka_fr3", "franka_panda", "ur5e_bimanual", "ur5_bimanual"])
def test_every_shipped_rig_has_its_drivers(rig: str) -> None:
    rig = load_rig(rig)

    for arm in rig.arms:
        assert arm_driver(arm, period_s=rig.period_s).spec is arm


def test_a_simulated_arm_has_no_controller() -> None:
    arm = replace(load_rig("franka_fr3").arms[0], driver="simulated")
    with pytest.raises(ConfigError, match="there is no controller to speak to"):
        arm_driver(arm, period_s=0.005)
