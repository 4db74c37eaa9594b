"""The emulated controller in virtual time."""

import numpy as np
import pytest

from tinyvla_gym.robots.emulators.ur_machine import UrMachine

HOME = np.array([0.0, -1.57, 1.57, -1.57, -1.57, 0.0])
PERIOD_S = 0.002


def started() -> UrMachine:
    machine = UrMachine("ur5e", HOME)
    machine.load_script("def rtde_control():\nend\n")
    return machine


def command(number: int, *doubles: float, integer: int = 0) -> dict:
    registers = {f"input_double_register_{i}": value for i, value in enumerate(doubles)}
    return {"input_int_register_0": number, "input_int_register_1": integer, **registers}


def run(machine: UrMachine, duration_s: float) -> None:
    for _ in range(round(duration_s / PERIOD_S)):
        machine.step(PERIOD_S)


def test_only_the_clients_own_script_starts_a_program() -> None:
    machine = UrMachine("ur5e", HOME)
    machine.load_script("def hello():\nend\n")
    assert not machine.program_running
    machine.load_script("def rtde_control():\nend\n")
    assert machine.program_running


def test_servo_targets_are_followed_with_the_lookahead_as_lag() -> None:
    machine = started()
    target = HOME.copy()
    for _ in range(500):
        target[0] += 0.2 * PERIOD_S
        machine.feed(command(11, *target))
        machine.step(PERIOD_S)

    assert target[0] - machine.joints_rad[0] == pytest.approx(0.2 * 0.1, rel=0.05)


@pytest.mark.parametrize("joint", [np.nan, np.inf, 7.0, 1.0])
def test_an_impossible_target_makes_a_protective_stop(joint: float) -> None:
    machine = started()

    machine.feed(command(11, joint, *HOME[1:]))

    assert machine.reading()["safety_mode"] == 3
    assert not machine.program_running
    run(machine, 0.5)
    np.testing.assert_allclose(machine.joints_rad, HOME, atol=1e-9)
    assert machine.unlock_protective_stop()
    assert not machine.unlock_protective_stop()


def test_a_blocking_move_is_done_when_it_is_there() -> None:
    machine = started()
    machine.feed(command(1, 0.3, *HOME[1:]))
    run(machine, 0.1)
    assert machine.reading()["output_int_register_0"] == 0

    run(machine, 1.5)

    assert machine.reading()["output_int_register_0"] == 2
    assert machine.joints_rad[0] == pytest.approx(0.3, abs=2e-3)


def test_the_end_of_a_move_for_which_nobody_waits_is_not_told() -> None:
    machine = started()
    machine.feed(command(1, 0.3, *HOME[1:], integer=1))
    assert machine.reading()["output_int_register_0"] == 2
    machine.feed(command(0))

    run(machine, 1.5)

    assert machine.reading()["output_int_register_0"] == 1  # ready for the next command
    assert machine.joints_rad[0] == pytest.approx(0.3, abs=2e-3)


def test_the_watchdog_ends_the_program_of_a_silent_client() -> None:
    machine = started()
    machine.feed(command(35, 10.0))
    run(machine, 0.09)
    assert machine.program_running

    run(machine, 0.02)

    assert not machine.program_running
    assert 35 in machine.commands_seen


def test_an_emergency_stop_is_not_unlocked_by_software() -> None:
    machine = started()
    machine.emergency_stop()

    assert not machine.unlock_protective_stop()
    machine.load_script("def rtde_control():\nend\n")
    assert not machine.program_running
    assert machine.reading()["safety_mode"] == 7
