"""Joint angles are read from the emulated controller without taking control."""

from dataclasses import replace

import numpy as np
import pytest
from rigs import PAIR, own_address

from tinyvla_gym.robots.drivers.ur_joints import UrJoints
from tinyvla_gym.robots.emulators.ur_process import UrEmulatorProcess
from tinyvla_gym.robots.robot import ConnectError

pytest.importorskip("rtde_receive", reason="ur-rtde is not installed: pip install ur-rtde")


def test_the_joints_are_read_and_no_program_runs() -> None:
    home_rad = np.array(PAIR.arms[0].home_rad)
    with UrEmulatorProcess(own_address(43), joints_rad=home_rad) as emulator:
        joints = UrJoints(replace(PAIR.arms[0], host=emulator.address))
        joints.connect()
        try:
            np.testing.assert_allclose(joints.read(), home_rad, atol=1e-6)
            assert not emulator.look("machine.program_running")
        finally:
            joints.close()
            joints.close()

    with pytest.raises(ConnectError, match="connection is gone"):
        joints.read()
