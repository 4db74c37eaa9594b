"""2,500 demonstrations of MT50, extrapolated from one episode of each task."""

from typing import Any

from benchmarks import peers
from benchmarks.findings import Finding
from benchmarks.refusal import Refusal
from benchmarks.rounds import interleave
from benchmarks.settings import Settings

CAMERA, SIZE = "corner4", 84
DEMONSTRATIONS = 2_500
CORES = 2


def measure(settings: Settings) -> list[Finding]:
    """Each round plays a share of the tasks; ours also writes the dataset to disk."""
    tasks = settings.chosen_tasks("10")
    shares = [tasks[index :: settings.rounds] for index in range(settings.rounds)]
    if not all(shares):
        raise Refusal(f"{settings.rounds} rounds need as many tasks, got {len(tasks)}.")
    ends: dict[str, Any] = {}
    with peers.ours() as ours, peers.reference() as peer:

        def our_turn(index: int) -> float:
            done = ours.ask(
                "demonstrate", tasks=shares[index], seed=index, camera=CAMERA, size=SIZE
            )
            ends.update(done["ends"])
            return done["seconds"] / len(shares[index])

        def peers_turn(index: int) -> float:
            done = peer.ask(
                "demonstrate", tasks=shares[index], seed=index, camera=CAMERA, size=SIZE
            )
            require_same_episodes(ends, done["ends"])
            return done["seconds"] / len(shares[index])

        rounds = interleave(our_turn, peers_turn, settings.rounds)
        versions = {"ours": ours.ask("versions"), "peer": peer.ask("versions")}
    mean_s = {
        side: sum(
            getattr(one, f"{side}_s") * len(share)
            for one, share in zip(rounds, shares, strict=True)
        )
        / len(tasks)
        for side in ("ours", "peer")
    }
    return [
        Finding(
            name="demonstrations",
            number=6,
            what=f"expert demonstrations with a picture of {SIZE} px per step",
            peer=f"metaworld {versions['peer']['metaworld']} + Gymnasium's renderer",
            bar=40.0,
            unit="demonstration",
            rounds=rounds,
            check={"episodes of equal length and success": len(tasks)},
            more={
                f"minutes_for_{DEMONSTRATIONS}_on_{CORES}_cores": {
                    side: DEMONSTRATIONS * seconds / CORES / 60 for side, seconds in mean_s.items()
                }
            },
            versions=versions,
        )
    ]


def require_same_episodes(ours: dict[str, Any], peers_: dict[str, Any]) -> None:
    """Compares success and length of the peer's episodes with ours.

    Raises:
        Refusal: If one differs.
    """
    for task, end in peers_.items():
        if ours[task] != end:
            (solved, steps), (peer_solved, peer_steps) = ours[task], end
            raise Refusal(
                f"{task}: our expert's episode took {steps} steps (solved: {solved}), the peer's "
                f"{peer_steps} (solved: {peer_solved}).\n"
                "A ratio between unequal things means nothing."
            )
