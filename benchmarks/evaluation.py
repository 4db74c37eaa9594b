"""Evaluation of a policy: ours against LeRobot's MetaWorld loop, and where the ratio comes from."""

from collections import Counter
from collections.abc import Iterable
from statistics import median

from benchmarks import peers
from benchmarks.findings import Finding
from benchmarks.lines import Subject
from benchmarks.refusal import Refusal
from benchmarks.rounds import Round
from benchmarks.settings import Settings

MT10 = (
    *("reach", "push", "pick-place", "door-open", "drawer-open", "drawer-close"),
    *("button-press-topdown", "peg-insert-side", "window-open", "window-close"),
)
CAMERA = "corner4"
LEROBOT_SIZE = 480  # LeRobot draws so many px at every step
OUR_SIZE = 84  # for the expert; nano has its own two cameras
LOOK_EVERY = 8
SEED = 1_000_000


def of_expert(settings: Settings) -> list[Finding]:
    """MetaWorld's expert, charged for a picture every eighth step."""
    return [_measure("expert", settings.chosen_tasks("5"), settings, horizon=500)]


def of_nano(settings: Settings) -> list[Finding]:
    """The bundled policy over MT10's tasks."""
    return [_measure("nano", settings.chosen_tasks("5", among=MT10), settings, horizon=150)]


def _measure(policy: str, tasks: tuple[str, ...], settings: Settings, *, horizon: int) -> Finding:
    shares = [tasks[index :: settings.rounds] for index in range(settings.rounds)]
    if not all(shares):
        raise Refusal(f"{settings.rounds} rounds need as many tasks, got {len(tasks)}.")
    with peers.ours() as ours, peers.lerobot() as peer:
        # Ours, the peer, ours less fast, ours, the peer, ...: one ladder per round.
        ladders = [
            add_up(climb(ours, peer, policy, task, SEED + index, horizon) for task in share)
            for index, share in enumerate(shares)
        ]
        versions = {"ours": ours.ask("versions"), "peer": peer.ask("versions")}
    solved = sum(int(ladder["solved"]) for ladder in ladders)
    name = "evaluation" if policy == "expert" else f"evaluation-{policy}"
    return Finding(
        name=name,
        number=8,
        what=f"evaluation of {policy}, the same episodes",
        peer=f"LeRobot {versions['peer']['lerobot']}'s MetaWorld loop, {LEROBOT_SIZE} px",
        bar=50.0,
        unit=f"{len(shares[0])} episodes" if len(shares[0]) > 1 else "episode",
        rounds=[Round(ours_s=ladder["ours"], peer_s=ladder["lerobot"]) for ladder in ladders],
        check={"episodes with equal success": len(tasks), "solved": solved},
        more={"factors": factors(ladders)},
        versions=versions,
    )


def climb(
    ours: Subject, peer: Subject, policy: str, task: str, seed: int, horizon: int
) -> dict[str, float]:
    """Plays one episode four times: as ours does, as LeRobot does, and in two steps between.

    The actions of the first are played again by the others, since LeRobot's pictures are not those
    that nano was trained on. All plan as often, and are charged for it.

    Returns:
        Seconds of each, and whether it was ``solved``.

    Raises:
        Refusal: If the episode does not end alike in all of them.
    """
    chosen = {"task": task, "seed": seed, "policy": policy}
    first = ours.ask(
        "play", **chosen, camera=CAMERA, size=OUR_SIZE, every=LOOK_EVERY, horizon=horizon
    )
    again = {**chosen, "sent": first["sent"]}
    theirs = peer.ask("replay", **again)
    drawn = {"camera": CAMERA, "size": LEROBOT_SIZE}
    lazy = ours.ask("replay", **again, **drawn, profile="parity-1")
    cheaper = ours.ask("replay", **again, **drawn, profile="fast-1")
    for name, one in {"LeRobot": theirs, "parity-1": lazy, "fast-1": cheaper}.items():
        if (one["success"], one["steps"]) != (first["success"], len(first["sent"])):
            raise Refusal(
                f"{task}, seed {seed}: ours ended after {len(first['sent'])} steps (solved: "
                f"{first['success']}), {name} after {one['steps']} (solved: {one['success']}).\n"
                "A ratio between unequal things means nothing."
            )
    return {
        "lerobot": theirs["seconds"],
        "lazy": lazy["seconds"],
        "cheaper": cheaper["seconds"],
        "ours": first["seconds"],
        "solved": float(first["success"]),
    }


def add_up(ladders: Iterable[dict[str, float]]) -> dict[str, float]:
    """The sum of several ladders, entry by entry."""
    total: Counter[str] = Counter()
    for ladder in ladders:
        total.update(ladder)
    return dict(total)


def factors(ladders: list[dict[str, float]]) -> dict[str, float]:
    """What each step of the ladder is worth, median over the rounds; together about the ratio.

    ``lazy`` draws when the policy looks only, ``cheaper`` is the fast profile, ``smaller`` are
    frames of the size that the policy reads.
    """
    rungs = {"lazy": ("lerobot", "lazy"), "cheaper": ("lazy", "cheaper")}
    rungs["smaller"] = ("cheaper", "ours")
    return {
        name: median(ladder[slow] / ladder[fast] for ladder in ladders)
        for name, (slow, fast) in rungs.items()
    }
