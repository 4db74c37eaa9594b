"""A rig that is not known well enough does not move."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from rigs import FRANKA, PAIR

from tinyvla_gym.robots.readiness import NotReadyError, check_ready

CALIBRATED = replace(PAIR, calibration_residual_m=0.002)


@dataclass(frozen=True)
class Said:
    """What a controller says about its tool."""

    flange_to_tcp_m: np.ndarray
    payload_kg: float


def as_filed(rig):
    return {arm.name: Said(np.array(arm.tcp_offset_m), arm.payload_kg) for arm in rig.arms}


@pytest.mark.parametrize("rig", [CALIBRATED, FRANKA])
def test_a_rig_whose_controllers_agree_with_its_file_may_move(rig) -> None:
    check_ready(rig, as_filed(rig))


@pytest.mark.parametrize(
    ("residual_m", "problem"),
    [(None, "have not been calibrated"), (0.0051, "5.1 mm only"), (np.nan, "nan mm only")],
)
def test_two_arms_known_worse_than_5_mm_may_not(residual_m, problem: str) -> None:
    rig = replace(PAIR, calibration_residual_m=residual_m)

    with pytest.raises(NotReadyError, match=problem):
        check_ready(rig, as_filed(rig))


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        (Said(np.array([0.0, 0.0, 0.165]), 1.0), r"arm left has its TCP 2.0 mm away"),
        (Said(np.array([0.0, 0.0, np.nan]), 1.0), "TCP nan mm"),
        (Said(np.array([0.0, 0.0, 0.163]), 1.2), "payload of 1.20 kg, the file 1.00 kg"),
    ],
)
def test_a_controller_that_disagrees_with_the_file_stops_it(said: Said, problem: str) -> None:
    with pytest.raises(NotReadyError, match=problem):
        check_ready(CALIBRATED, as_filed(CALIBRATED) | {"left": said})


def test_everything_that_is_in_the_way_is_told_at_once() -> None:
    with pytest.raises(NotReadyError) as error:
        check_ready(PAIR, {})

    lines = str(error.value).splitlines()
    assert len(lines) == 4
    assert "arm right" in lines[3]
