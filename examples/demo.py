"""The bundled nano policy, given a sentence, solves MetaWorld tasks from camera pixels.

    python examples/demo.py

Six tasks, five episodes each, on the CPU: a table, one film per task, and a page that shows
them side by side. The last line reads ``films side by side in runs/demo/index.html``.
"""

import os
from pathlib import Path

from tinyvla_gym import Protocol, evaluate
from tinyvla_gym.cli.console import console, print_results
from tinyvla_gym.cli.progress import progress
from tinyvla_gym.evaluation.report import write_report
from tinyvla_gym.events import Outcome

OUTPUT = Path("runs/demo")
PROTOCOL = Protocol(suite="demo", episodes=5, parallel=1)

if __name__ == "__main__":
    played, solved = 0, 0
    with progress() as show:

        def note(task: str, outcome: Outcome) -> None:
            """Counts an episode."""
            global played, solved
            played += 1
            solved += outcome.success
            show("nano plays", played, 6 * PROTOCOL.episodes, f"{solved} solved, now {task}")

        results = evaluate(
            "nano",
            PROTOCOL,
            videos=OUTPUT / "videos",
            workers=min(2, os.cpu_count() or 1),
            on_episode=note,
        )
    results.save(OUTPUT / "results.json")
    write_report(
        results, OUTPUT / "index.html", title="nano solves MetaWorld", videos=OUTPUT / "videos"
    )
    print_results(results)
    console.print(f"films side by side in {OUTPUT / 'index.html'}")
