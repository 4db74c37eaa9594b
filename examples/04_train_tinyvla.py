"""Train a TinyVLA on the toy: demonstrations, a policy, a success rate, in a few minutes.

    python examples/04_train_tinyvla.py [STEPS]

The last line reads ``N of 20 episodes solved``.
"""

import shutil
import sys
from dataclasses import replace
from pathlib import Path

from tinyvla_gym import Protocol, evaluate
from tinyvla_gym.demonstrations import Plan, collect
from tinyvla_gym.training.dataset import train_on_dataset
from tinyvla_gym.training.presets import preset

OUTPUT = Path("runs/train-reach")
STEPS = int(sys.argv[1]) if len(sys.argv) > 1 else preset("tiny").steps

if __name__ == "__main__":
    shutil.rmtree(OUTPUT, ignore_errors=True)
    collect(["TinyVLA/Reach-v0"], OUTPUT / "data", Plan(episodes=100))
    config = replace(preset("tiny"), steps=STEPS)
    train_on_dataset(
        OUTPUT / "data",
        OUTPUT / "run",
        config,
        name="reach",
        on_progress=lambda line: print(f"step {line.step} of {line.steps}, loss {line.loss:.4f}"),
    )
    checkpoint = str(OUTPUT / "run" / "checkpoint")
    results = evaluate(checkpoint, Protocol(suite="reach", episodes=20))
    print(f"{results.successes} of {results.episodes} episodes solved")
