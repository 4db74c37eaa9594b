"""Rig files: strict in, equal out, and never beyond what the arms can do."""

from dataclasses import replace

import pytest

from tinyvla_gym.errors import ConfigError, UnknownNameError
from tinyvla_gym.robots.hardware import MODELS
from tinyvla_gym.robots.limits import PROFILES, SafetyLimits, limits_from
from tinyvla_gym.robots.rig_file import load_rig, parse_rig, shipped_rigs, write_rig


def test_four_rigs_and_two_emulated_ones_are_shipped() -> None:
    assert shipped_rigs() == (
        *("franka_emulated", "franka_fr3", "franka_panda"),
        *("ur5_bimanual", "ur5e_bimanual", "ur5e_emulated"),
    )


@pytest.mark.parametrize("name", shipped_rigs())
def test_a_rig_that_is_written_reads_back_equal(name: str) -> None:
    rig = load_rig(name)

    assert parse_rig(write_rig(rig), name="again") == rig


def test_a_rig_is_read_from_a_file(tmp_path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(write_rig(load_rig("franka_fr3")))

    assert load_rig(path) == load_rig("franka_fr3")


def spoiled(**changes: str) -> str:
    text = write_rig(load_rig("ur5e_bimanual"))
    for old, new in changes.values():
        assert old in text
        text = text.replace(old, new)
    return text


BROKEN = {
    "a typo": ("control: ee", "contorl: ee", r"no entry of rig 'contorl'. Did you mean 'control'"),
    "unknown model": ("model: ur5e", "model: ur55e", "no arm model 'ur55e'. Did you mean 'ur5e'"),
    "words for a number": ("payload_kg: 1.0", "payload_kg: heavy", "payload_kg must be a float"),
    "a number as words": ("payload_kg: 1.0", "payload_kg: 1e-3", "Write numbers as 0.001"),
    "yes for a number": ("payload_kg: 1.0", "payload_kg: yes", "payload_kg must be a float"),
    "too heavy": ("payload_kg: 1.0", "payload_kg: 7.0", "carries 7.0 kg; a ur5e carries 0 to 5.0"),
    "NaN": ("payload_kg: 1.0", "payload_kg: .nan", "finite numbers"),
    "too fast": ("tcp_speed_m_s: 0.25", "tcp_speed_m_s: 3.5", "tcp_speed_m_s=3.5 against 3.0"),
    "NaN limit": ("tcp_speed_m_s: 0.25", "tcp_speed_m_s: .nan", "limits nothing"),
    "no limit": ("tcp_speed_m_s: 0.25", "tcp_speed_m_s: .inf", "limits nothing"),
    "loose watch": ("state_stop_s: 0.2", "state_stop_s: 5.0", "tightened, not loosened"),
    "rate": ("tick_hz: 0.0", "tick_hz: 250.0", "at 125.0 or 500.0 Hz, not at 250.0"),
    "codec": ("state: null", "state: joint8", "joint8 does not fit 2 arm"),
    "same names": ("name: right\n  model", "name: left\n  model", "of different names"),
    "missing": ("serial: unset\n", "", "lacks serial"),
    "not YAML": ("control: ee", "control: [", "is not YAML"),
}


@pytest.mark.parametrize(("old", "new", "complaint"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_rig_file_is_refused_with_a_reason(old: str, new: str, complaint: str) -> None:
    with pytest.raises((ConfigError, UnknownNameError), match=complaint):
        parse_rig(spoiled(change=(old, new)), name="rig")


def test_an_unknown_rig_is_answered_with_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'franka_fr3'"):
        load_rig("franka_fr")
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        load_rig("missing.yaml")


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS.keys())
@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES.keys())
def test_every_profile_is_within_every_arm(model, profile: SafetyLimits) -> None:
    assert profile.excesses(model) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [("tcp_acceleration_m_s2", 10), ("tcp_jerk_m_s3", 5000), ("joint_acceleration_rad_s2", 11),
     ("joint_jerk_rad_s3", 6000), ("joint_speed_frac", 1.1), ("tcp_rotation_speed_rad_s", 3)],
)  # fmt: skip
def test_a_limit_beyond_the_makers_table_is_named(name: str, value: float) -> None:
    limits = replace(PROFILES["fast"], **{name: value})

    assert limits.excesses(MODELS["fr3"])[0].startswith(f"{name}={value} against")


def test_a_profile_can_be_tightened_by_name() -> None:
    assert limits_from("eval", {"jump_m": 0.05}).jump_m == 0.05
    with pytest.raises(UnknownNameError, match="Did you mean 'jump_m'"):
        limits_from("eval", {"jum_m": 0.05})
    with pytest.raises(UnknownNameError, match="no safety profile 'slow'"):
        limits_from("slow", {})


@pytest.mark.parametrize("name", ["jump_m", "force_stop_n", "tilt_rad", "heartbeat_stop_s"])
def test_supervision_cannot_be_loosened(name: str) -> None:
    with pytest.raises(ConfigError, match=f"not loosened: {name}"):
        replace(PROFILES["fast"], **{name: getattr(PROFILES["fast"], name) * 1.01})


def test_holding_must_come_before_stopping() -> None:
    with pytest.raises(ConfigError, match="stop before it was told to hold"):
        replace(PROFILES["eval"], state_stop_s=0.04)
