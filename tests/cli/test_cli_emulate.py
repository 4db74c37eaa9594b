"""tinyvla-gym emulate, from start to Ctrl-C."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from tinyvla_gym.robots.emulators.robotiq import RobotiqEmulator


@contextlib.contextmanager
def emulating(found, *what):
    """Starts the verb; gives its process and what it says that it serves."""
    command = [sys.executable, "-m", "tinyvla_gym.cli.main", "emulate", *what]
    with subprocess.Popen([*command, "--json", str(found)], env=os.environ) as running:
        deadline_s = time.monotonic() + 60
        while not found.exists() and time.monotonic() < deadline_s:
            time.sleep(0.05)
        yield running, json.loads(found.read_text())["controllers"]


@pytest.mark.parametrize(
    ("what", "port", "ask", "answer"),
    [
        ("robotiq", 63352, b"GET STA\n", b"STA 0\n"),
        ("ur", 29999, b"", b"Connected: Universal Robots Dashboard Server\n"),
    ],
)
def test_it_serves_until_it_is_interrupted(tmp_path, what, port, ask, answer) -> None:
    with emulating(tmp_path / "found.json", what, "--arms", "1") as (running, controllers):
        with socket.create_connection((controllers[0]["address"], port), 5.0) as session:
            session.sendall(ask)
            assert session.recv(64) == answer
        running.send_signal(signal.SIGINT)

        assert running.wait(30) == 0


def test_a_franka_is_served_until_it_is_interrupted(tmp_path) -> None:
    pytest.importorskip("franky_sim", reason="franky-sim is not installed")
    with emulating(tmp_path / "found.json", "franka") as (running, controllers):
        (controller,) = controllers
        assert controller["kind"] == "fr3"
        for port in (1337, 1338):
            socket.create_connection((controller["address"], port), 5.0).close()
        running.send_signal(signal.SIGINT)

        assert running.wait(30) == 0


def test_without_franky_sim_the_remedy_is_told(cli, monkeypatch) -> None:
    monkeypatch.setattr("tinyvla_gym.robots.emulators.franka.find_spec", lambda _: None)

    answer = cli("emulate", "franka")

    assert answer.code == 1
    assert 'pip install "tinyvla-gym[emulators]"' in answer.err


def test_an_address_that_is_taken_is_a_sentence(cli, monkeypatch) -> None:
    monkeypatch.setattr("tinyvla_gym.cli.emulate._FIRST", 241)
    with RobotiqEmulator("127.0.0.241"):
        answer = cli("emulate", "robotiq", "--arms", "1")

    assert answer.code == 1
    assert "End the one that runs already" in answer.err


def test_three_arms_are_refused(cli) -> None:
    answer = cli("emulate", "ur", "--arms", "3")

    assert answer.code == 1
    assert "--arms is 1 or 2, got 3" in answer.err
