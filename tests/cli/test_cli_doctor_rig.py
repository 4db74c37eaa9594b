"""tinyvla-gym doctor --rig, against the emulated UR controller and the vendor's real client."""

import io
import json
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from rigs import FRANKA, PAIR, own_address

from tinyvla_gym.robots import checkup, nudge
from tinyvla_gym.robots.drivers import ur
from tinyvla_gym.robots.emulators.franka import FrankaEmulator
from tinyvla_gym.robots.emulators.ur_process import UrEmulatorProcess
from tinyvla_gym.robots.rig_file import write_rig
from tinyvla_gym.robots.spec import CameraSpec

CAMERA = CameraSpec(name="top", kind="synthetic")
RIGHT = replace(PAIR.arms[1], host=own_address(37))
SERIAL = "20230000000"


@pytest.fixture(scope="module")
def emulator() -> Iterator[UrEmulatorProcess]:
    pytest.importorskip("rtde_control", reason="ur-rtde is not installed: pip install ur-rtde")
    with UrEmulatorProcess(RIGHT.host, joints_rad=np.array(RIGHT.home_rad)) as emulator:
        emulator.call("machine.set_tool", RIGHT.tcp_offset_m, RIGHT.payload_kg)
        yield emulator


@pytest.fixture(autouse=True)
def brief(monkeypatch) -> None:
    """Looks and moves that are short, and a watchdog that stands a busy machine."""
    monkeypatch.setattr(ur, "WATCHDOG_HZ", 1.0)
    monkeypatch.setattr(checkup, "_WATCH_S", 0.5)
    monkeypatch.setattr(checkup, "_RATE_FRAC", 0.2)
    for name, time_s in {"_UP_S": 0.5, "_STAY_S": 1.0, "_BACK_S": 1.5, "_OVER_S": 1.6}.items():
        monkeypatch.setattr(nudge, name, time_s)


@pytest.fixture
def rig_file(tmp_path):
    """Writes the file of a rig with one arm and one camera."""

    def write():
        rig = replace(PAIR, arms=(RIGHT,), cameras=(CAMERA,), state=None, serial=SERIAL)
        path = tmp_path / "rig.yaml"
        path.write_text(write_rig(rig))
        return path

    return write


def findings(path):
    return {one["name"]: one for one in json.loads(path.read_text())["findings"]}


def test_a_good_rig_is_told_line_by_line_and_nothing_moves(cli, emulator, rig_file, tmp_path):
    answer = cli("doctor", "--rig", rig_file(), "--json", tmp_path / "found.json")

    found = findings(tmp_path / "found.json")
    assert set(found) >= {
        *("serial", "right: connection", "right: software", "right: serial"),
        *("right: remote control", "right: tool", "right: payload", "right: condition"),
        *("right: speed slider", "right: rate", "right: longest wait"),
        *("camera top: rate", "camera top: longest wait"),
    }
    steady = {name for name in found if name.endswith(("rate", "wait"))}  # if the machine is busy
    assert all(one["verdict"] == "ok" for name, one in found.items() if name not in steady)
    assert "ok       right: software: PolyScope " in answer.out
    assert 35 not in emulator.look("machine.commands_seen")  # not even the watchdog was armed
    assert 11 not in emulator.look("machine.commands_seen")


def test_what_differs_from_the_file_is_told_with_its_remedy(cli, emulator, rig_file) -> None:
    emulator.call("machine.set_tool", (0.0, 0.0, 0.10), 2.0)
    emulator.put("faults.speed_scaling", 0.5)
    emulator.put("faults.delay_s", 0.2)
    answer = cli("doctor", "--rig", rig_file())
    emulator.call("machine.set_tool", RIGHT.tcp_offset_m, RIGHT.payload_kg)
    emulator.put("faults.speed_scaling", 1.0)
    emulator.put("faults.delay_s", 0.0)

    assert answer.code == 1
    assert "broken   right: tool: (0.0000, 0.0000, 0.1000) m from the flange" in answer.out
    assert "the file says [0.0, 0.0, 0.163] m; set one of them right" in answer.out
    assert "broken   right: payload: 2.00 kg; the file says 1.0 kg" in answer.out
    assert "warn     right: speed slider: 50 %; move it to 100 %" in answer.out
    assert "broken   right: rate: " in answer.out
    assert "broken   right: longest wait: " in answer.out
    assert "look at cable and switch" in answer.out


def test_live_moves_by_a_centimetre_after_the_serial_was_typed(
    cli, emulator, rig_file, monkeypatch, tmp_path
) -> None:
    for _ in range(3):  # a machine that stands still for 0.2 s is stopped by rule 17, and rightly
        monkeypatch.setattr("sys.stdin", io.StringIO(f"{SERIAL}\n"))
        answer = cli("doctor", "--rig", rig_file(), "--live", "--json", tmp_path / "found.json")
        found = findings(tmp_path / "found.json")
        if found.get("right: test move", {}).get("verdict") == "ok":
            break

    assert "Type the rig's serial (20230000000)" in answer.out
    assert found["right: test move"]["verdict"] == "ok", answer.out
    assert found["right: test move"]["fact"].startswith("rose ")
    assert {35, 11} <= set(emulator.look("machine.commands_seen"))


def test_live_moves_nothing_that_is_broken(cli, emulator, rig_file) -> None:
    emulator.call("machine.set_tool", (0.0, 0.0, 0.10), RIGHT.payload_kg)
    answer = cli("doctor", "--rig", rig_file(), "--live")
    emulator.call("machine.set_tool", RIGHT.tcp_offset_m, RIGHT.payload_kg)

    assert answer.code == 1
    assert "broken   test move: not made; mend first what is broken" in answer.out
    assert "Type the rig's serial" not in answer.out


def test_live_without_the_right_serial_moves_nothing(cli, emulator, rig_file, monkeypatch) -> None:
    before = len(emulator.look("machine.commands_seen"))
    monkeypatch.setattr("sys.stdin", io.StringIO("yes\n"))
    answer = cli("doctor", "--rig", rig_file(), "--live")

    assert answer.code == 1
    assert "broken   test move: not made" in answer.out
    assert 11 not in emulator.look("machine.commands_seen")[before:]


def test_a_franka_is_looked_at_and_nudged(cli, tmp_path, monkeypatch) -> None:
    pytest.importorskip("franky", reason="franky-control is not installed")
    pytest.importorskip("franky_sim", reason="franky-sim is not installed")
    arm = replace(FRANKA.arms[0], host=own_address(39))
    path = tmp_path / "franka.yaml"
    path.write_text(write_rig(replace(FRANKA, arms=(arm,), cameras=(), serial="FR3-1")))
    with FrankaEmulator(arm.host, joints_rad=arm.home_rad):
        for _ in range(3):  # as above
            monkeypatch.setattr("sys.stdin", io.StringIO("FR3-1\n"))
            answer = cli("doctor", "--rig", path, "--live", "--json", tmp_path / "found.json")
            found = findings(tmp_path / "found.json")
            if found.get("arm: test move", {}).get("verdict") == "ok":
                break

    for name in ("connection", "software", "tool", "payload", "condition", "test move"):
        assert found[f"arm: {name}"]["verdict"] == "ok", answer.out


def test_nobody_there_is_a_line_with_a_remedy(cli, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(checkup, "keeps_deadlines", lambda: False)
    dark = CameraSpec(name="dark", kind="file")
    gone = replace(FRANKA, arms=(replace(FRANKA.arms[0], host=own_address(38)),), cameras=(dark,))
    path = tmp_path / "gone.yaml"
    path.write_text(write_rig(gone))
    answer = cli("doctor", "--rig", path)

    assert answer.code == 1
    assert "warn     serial: unset; write the controllers' into the rig file" in answer.out
    assert "warn     kernel: not real-time; install a kernel with PREEMPT_RT" in answer.out
    assert "broken   arm: connection: " in answer.out
    assert "broken   camera dark: " in answer.out


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--live",), "name one with --rig"),
        (("--rig", "franka_fr3", "--live"), "needs a rig file with the serial"),
        (("--rig", "no_such_rig"), "no_such_rig"),
    ],
)
def test_what_a_user_got_wrong_is_explained(refused, arguments, problem) -> None:
    assert problem in refused("doctor", *arguments)
