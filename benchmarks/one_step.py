"""The one-step head against the ten-step one: the head alone, one observation, one core."""

from benchmarks import peers
from benchmarks.findings import Finding
from benchmarks.rounds import interleave
from benchmarks.settings import Settings

PLANS = 5
"""Plans per round, so that a round takes a second."""


def measure(settings: Settings) -> list[Finding]:
    """Makes chunks with both heads in turns, on the published U-Net with random weights."""
    with peers.planners() as ours:
        checks = {kind: ours.ask("head", kind=kind, plans=1) for kind in ("one_step", "diffusion")}
        evaluations = {kind: found["evaluations"] for kind, found in checks.items()}
        rounds = interleave(
            lambda _: ours.ask("head", kind="one_step", plans=PLANS)["seconds"],
            lambda _: ours.ask("head", kind="diffusion", plans=PLANS)["seconds"],
            settings.rounds,
        )
        versions = {"ours": ours.ask("versions")}
    return [
        Finding(
            name="one-step",
            number=14,
            what="a chunk from a condition, one step against ten",
            peer="the same U-Net in ten DDIM steps",
            bar=8.0,
            unit="chunk of 16 actions",
            check={f"evaluations of the U-Net, {kind}": n for kind, n in evaluations.items()},
            rounds=rounds,
            versions=versions,
        )
    ]
