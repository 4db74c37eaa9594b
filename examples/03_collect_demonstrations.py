"""Record a scripted expert as a LeRobot dataset, and read it back.

    python examples/03_collect_demonstrations.py

The last line reads ``10 episodes in runs/reach-demonstrations``.
"""

import shutil
from pathlib import Path

from tinyvla_gym.data.lerobot import Dataset
from tinyvla_gym.demonstrations import Plan, collect

OUTPUT = Path("runs/reach-demonstrations")

if __name__ == "__main__":
    shutil.rmtree(OUTPUT, ignore_errors=True)
    collect(["TinyVLA/Reach-v0"], OUTPUT, Plan(episodes=10))
    dataset = Dataset(OUTPUT)
    episode = dataset.episode(0)
    print(f"episode 0: {len(episode)} steps, {episode.instruction!r}, seed {episode.seed}")
    print(f"{len(dataset)} episodes in {OUTPUT}")
