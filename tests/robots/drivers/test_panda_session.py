"""The Panda's session around a stand-in for its library; the library itself was not yet run."""

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rigs import load_rig, state_at

from tinyvla_gym.robots.drivers import panda_session
from tinyvla_gym.robots.drivers.franka import FrankaArm
from tinyvla_gym.robots.rotations import rotation_from_rotvec
from tinyvla_gym.robots.state import ArmCommand, Condition

RIG = load_rig("franka_panda")
SPEC = RIG.arms[0]
HOME = state_at(SPEC, SPEC.home_rad)


def columns(rotation, position_m):
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = rotation, position_m
    return pose.T.reshape(16).tolist()


class FakeController:
    def __init__(self, kind, stiffness):
        self.kind, self.stiffness, self.controls = kind, stiffness, []

    def set_control(self, *control):
        self.controls.append(control)


class FakePanda:
    """Stands still, and notes what it was told."""

    def __init__(self, host):
        self.host, self.mode, self.error = host, "kIdle", None
        self.started, self.stops, self.recoveries, self.moved = [], 0, 0, []
        FakePanda.newest = self

    def raise_error(self):
        if self.error:
            raise RuntimeError(self.error)

    def refresh_state(self):
        """The library asks the robot."""

    def get_state(self):
        turn = SPEC.tcp_yaw_rad
        flange = rotation_from_rotvec(np.array([0.0, 0.0, turn]))
        return SimpleNamespace(
            q=HOME.joints_rad.tolist(),
            dq=[0.0] * 7,
            O_T_EE=columns(HOME.tcp_rotation, HOME.tcp_position_m),
            F_T_EE=columns(flange, SPEC.tcp_offset_m),
            O_F_ext_hat_K=[1.0, 2.0, 3.0, 0.0, 0.0, 0.0],
            tau_ext_hat_filtered=[0.5] * 7,
            m_load=0.0,
            robot_mode=SimpleNamespace(name=self.mode),
            time=SimpleNamespace(to_sec=lambda: 7.0),
        )

    def start_controller(self, controller):
        self.started.append(controller)

    def stop_controller(self):
        self.stops += 1

    def recover(self):
        self.recoveries += 1
        self.error, self.mode = None, "kIdle"

    def move_to_joint_position(self, joints_rad, speed_factor):
        self.moved.append((joints_rad.tolist(), speed_factor))


class FakeGripper:
    def __init__(self, host):
        self.homing = self.move = self.grasp = lambda *_: True

    def read_once(self):
        return SimpleNamespace(width=0.06, max_width=0.08)


@pytest.fixture
def panda(monkeypatch):
    """A connected arm and the stand-in behind it."""
    library = ModuleType("panda_py")
    library.Panda = FakePanda
    library.controllers = SimpleNamespace(
        CartesianImpedance=lambda stiffness: FakeController("tool", stiffness),
        JointPosition=lambda stiffness: FakeController("joints", stiffness),
    )
    library.libfranka = SimpleNamespace(Gripper=FakeGripper)
    monkeypatch.setitem(sys.modules, "panda_py", library)
    monkeypatch.setattr(panda_session, "version", lambda _: "1.1.1")
    arm = FrankaArm(SPEC, period_s=0.005)
    arm.connect()
    yield arm, FakePanda.newest
    arm.close()


def a_command(*, joints_rad=None, release=False):
    return ArmCommand(
        joints_rad=joints_rad,
        tcp_position_m=HOME.tcp_position_m,
        tcp_rotation=HOME.tcp_rotation,
        gripper_open_frac=1.0,
        release=release,
    )


def test_a_reading_is_the_librarys_state(panda) -> None:
    arm, _ = panda
    reading = arm.read(1.0)

    np.testing.assert_allclose(reading.tcp_position_m, HOME.tcp_position_m)
    np.testing.assert_allclose(reading.tcp_rotation, HOME.tcp_rotation)
    np.testing.assert_allclose(reading.force_n, [1, 2, 3])
    np.testing.assert_allclose(reading.external_torques_nm, [0.5] * 7)
    assert reading.gripper_open_frac == pytest.approx(0.75)
    assert arm.facts().software == "panda-python 1.1.1"


def test_commands_start_one_impedance_and_move_its_target(panda) -> None:
    arm, library = panda
    arm.servo(a_command())
    arm.servo(a_command())

    (controller,) = library.started
    assert controller.kind == "tool"
    assert np.diag(controller.stiffness).tolist() == [750.0] * 3 + [40.0] * 3
    position_m, quaternion = controller.controls[1]
    np.testing.assert_allclose(position_m, HOME.tcp_position_m)
    assert np.linalg.norm(quaternion) == pytest.approx(1.0)
    arm.servo(a_command(release=True))
    assert library.stops == 1


def test_joint_angles_have_an_impedance_of_their_own(panda) -> None:
    arm, library = panda
    arm.servo(a_command(joints_rad=HOME.joints_rad))

    assert library.started[0].kind == "joints"
    np.testing.assert_allclose(library.started[0].controls[0][0], HOME.joints_rad)


@pytest.mark.parametrize(
    ("words", "condition"),
    [
        ("motion aborted by reflex! [joint_reflex]", Condition.REFLEX),
        ("UDP receive: Timeout", Condition.CONTROL_LOST),
    ],
)
def test_what_the_library_raises_is_sorted(panda, words: str, condition: Condition) -> None:
    arm, library = panda
    library.error = words

    assert arm.read(1.0).condition is condition


def test_a_reflex_is_recovered_and_a_user_stop_is_not(panda) -> None:
    arm, library = panda
    library.mode = "kReflex"
    assert arm.read(1.0).condition is Condition.REFLEX
    arm.recover()
    assert library.recoveries == 1
    library.mode = "kUserStopped"

    assert arm.read(2.0).condition is Condition.SAFEGUARD_STOP


def test_home_is_a_motion_of_the_library(panda) -> None:
    arm, library = panda
    arm.move_home(HOME.joints_rad, speed_rad_s=0.261)

    assert library.moved == [(HOME.joints_rad.tolist(), pytest.approx(0.1))]


@given(st.tuples(*[st.floats(-1.8, 1.8)] * 3))
def test_a_quaternion_turns_as_its_rotation_does(rotvec) -> None:
    rotation = rotation_from_rotvec(np.array(rotvec))
    x, y, z, w = panda_session._quaternion_xyzw(rotation)

    vector = np.array([x, y, z])
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    again = (w * w - vector @ vector) * np.eye(3) + 2 * np.outer(vector, vector) + 2 * w * cross
    np.testing.assert_allclose(again, rotation, atol=1e-9)
