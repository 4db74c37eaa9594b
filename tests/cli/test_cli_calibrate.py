"""tinyvla-gym calibrate, without a robot."""

import json
from dataclasses import replace

import numpy as np
import pytest
from rigs import PAIR, own_address

from tinyvla_gym.cli import calibrate
from tinyvla_gym.robots.emulators.robotiq import RobotiqEmulator
from tinyvla_gym.robots.rig_file import SHIPPED, load_rig, write_rig


@pytest.fixture
def rig_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "my_rig.yaml"
    path.write_text((SHIPPED / "ur5e_bimanual.yaml").read_text())
    return path


def test_the_bases_are_found_and_written_with_their_residual(cli, rig_file, tmp_path) -> None:
    found = tmp_path / "found.json"
    measured = cli("calibrate", rig_file, "bases", "--measure", "pretended", "--json", found)
    again = cli("calibrate", rig_file, "bases")

    assert (measured.code, again.code) == (0, 0), measured.err + again.err
    assert "8 spots" in again.out
    assert json.loads(found.read_text())["step"] == "bases"
    rig = load_rig(rig_file)
    wanted_m = np.add(PAIR.arms[1].base_position_m, calibrate._PRETENDED_SHIFT_M)
    np.testing.assert_allclose(rig.arms[1].base_position_m, wanted_m, atol=0.002)
    assert rig.calibration_residual_m is not None
    assert 0 < rig.calibration_residual_m < 0.002


@pytest.mark.parametrize("step", ["table", "tool", "gripper"])
def test_every_other_step_runs_on_pretended_touches(cli, rig_file, step: str) -> None:
    answer = cli("calibrate", rig_file, step, "--measure", "pretended", "--arm", "right")

    assert answer.code == 0, answer.err
    rig = load_rig(rig_file)
    assert rig.arms[1].tcp_offset_m == pytest.approx(PAIR.arms[1].tcp_offset_m, abs=0.002)


def test_a_camera_is_found_and_written(cli, rig_file) -> None:
    pytest.importorskip("cv2", reason="OpenCV is not installed")
    answer = cli(
        *("calibrate", rig_file, "camera", "--camera", "left_wrist", "--on-tool"),
        *("--measure", "pretended"),
    )

    assert answer.code == 0, answer.err
    placement = load_rig(rig_file).cameras[1].placement
    assert placement is not None
    np.testing.assert_allclose(placement.position_m, (0.05, 0.0, -0.08), atol=0.003)


def test_fingers_are_measured_where_they_stop(cli, rig_file) -> None:
    left = PAIR.arms[0]
    address = own_address(41)
    gripper = replace(left.gripper, counts_open=0, counts_closed=255)
    changed = replace(left, host=address, gripper=gripper)
    rig_file.write_text(write_rig(replace(PAIR, arms=(changed, PAIR.arms[1]))))

    with RobotiqEmulator(address):
        answer = cli("calibrate", rig_file, "gripper", "--measure", "arms")

    assert answer.code == 0, answer.err
    found = load_rig(rig_file).arms[0].gripper
    assert (found.counts_open, found.counts_closed) == (3, 228)


def test_points_are_taken_by_key_from_arms_guided_by_hand(cli, rig_file, monkeypatch) -> None:
    rng = np.random.default_rng(0)
    answers = iter(["", ""] * 5 + ["q"])

    class Guided:
        def __init__(self, arm):
            self._home = np.array(arm.home_rad)

        def connect(self):
            pass

        def read(self):
            return self._home + rng.uniform(-0.3, 0.3, 6)

        def close(self):
            pass

    monkeypatch.setattr(calibrate, "UrJoints", Guided)
    monkeypatch.setattr(calibrate.console, "input", lambda _: next(answers))

    answer = cli("calibrate", rig_file, "bases", "--measure", "arms")

    assert answer.code == 0, answer.err
    assert "5 spots" in answer.out
    residual_m = load_rig(rig_file).calibration_residual_m
    assert residual_m is not None
    assert residual_m > 0.005  # nobody touches the same spots by chance


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["no.yaml", "bases"], "cannot be read"),
        (["ur5e_bimanual", "bases"], "Copy it"),
        (["my_rig.yaml", "bases"], "At least 4 points"),
        (["my_rig.yaml", "table"], "No table was measured with arm left"),
        (["my_rig.yaml", "tool", "--arm", "lefft"], "Did you mean 'left'"),
        (["my_rig.yaml", "camera", "--camera", "topp"], "Did you mean 'top'"),
        (["my_rig.yaml", "camera"], "cannot be read"),
    ],
)
def test_what_cannot_be_calibrated_is_told_and_nothing_is_written(
    refused, rig_file, arguments, problem: str
) -> None:
    before = rig_file.read_text()

    assert problem in refused("calibrate", *arguments)
    assert rig_file.read_text() == before


def test_an_arm_that_is_not_there_is_told(refused, rig_file) -> None:
    pytest.importorskip("rtde_receive", reason="ur-rtde is not installed")
    left = replace(PAIR.arms[0], host=own_address(42))
    rig_file.write_text(write_rig(replace(PAIR, arms=(left, PAIR.arms[1]))))

    assert "cannot be driven" in refused(
        "calibrate", rig_file, "table", "--measure", "arms", "--arm", "left"
    )


def test_another_make_is_measured_by_hand(refused, rig_file) -> None:
    rig_file.write_text((SHIPPED / "franka_fr3.yaml").read_text())

    assert "by hand" in refused("calibrate", rig_file, "table", "--measure", "arms")
