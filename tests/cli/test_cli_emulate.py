"""tinyvla-gym emulate, from start to Ctrl-C."""

import json
import os
import signal
import socket
import subprocess
import sys
import time


def test_it_serves_until_it_is_interrupted(tmp_path) -> None:
    found = tmp_path / "found.json"
    command = [sys.executable, "-m", "tinyvla_gym.cli.main", "emulate", "robotiq", "--arms", "1"]
    with subprocess.Popen([*command, "--json", str(found)], env=os.environ) as running:
        deadline_s = time.monotonic() + 60
        while not found.exists() and time.monotonic() < deadline_s:
            time.sleep(0.05)
        (controller,) = json.loads(found.read_text())["controllers"]
        with socket.create_connection((controller["address"], 63352), 5.0) as session:
            session.sendall(b"GET STA\n")
            assert session.recv(64) == b"STA 0\n"
        running.send_signal(signal.SIGINT)

        assert running.wait(30) == 0


def test_three_arms_are_refused(cli) -> None:
    answer = cli("emulate", "ur", "--arms", "3")

    assert answer.code == 1
    assert "--arms is 1 or 2, got 3" in answer.err
