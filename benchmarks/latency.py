"""A plan on one core: ours against TinyVLA's released code, with the same random weights.

Times are seconds of one thread's processor, so that other work on the machine blurs them less.
"""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks import peers
from benchmarks.findings import Finding
from benchmarks.lines import ROOT, Subject
from benchmarks.refusal import Refusal
from benchmarks.rounds import interleave
from benchmarks.settings import Settings
from tinyvla_gym.policies.tinyvla.llava_pythia.sizes import options

WORDS = ROOT / "tests/golden/tokenizer.json"
BARS = {"torch": 1.1, "int8": 2.3}
CLOSE = {"torch": 1e-4, "int8": 0.1}
"""How far plans may be from the released ones, of 1: the largest difference of any entry in
float32, the mean one where weights are rounded."""


def in_float32(settings: Settings) -> list[Finding]:
    """Plans in turns, ours on torch; see ``measure``."""
    return [measure(settings, "torch")]


def in_8_bits(settings: Settings) -> list[Finding]:
    """Plans in turns, ours on ONNX Runtime with rounded weights; see ``measure``."""
    return [measure(settings, "int8")]


def measure(settings: Settings, form: str) -> Finding:
    """Has the peer draw weights, ours import them, and both plan for the same sights in turns.

    Raises:
        Refusal: If plans differ, or the numbers of weights do.
    """
    size, plans = settings.size, Plans()
    with TemporaryDirectory() as folder, peers.released() as peer, peers.planners() as ours:
        weights = prepare(ours, peer, settings, Path(folder), form)
        plans.turn(ours, "ours", 0, form=form)  # the first plan warms up
        plans.turn(peer, "peer", 0)
        rounds = interleave(
            lambda index: plans.turn(ours, "ours", index, form=form),
            lambda index: plans.turn(peer, "peer", index),
            settings.rounds,
        )
        versions = {"ours": ours.ask("versions"), "peer": peer.ask("versions")}
    return Finding(
        name=f"latency-{size}" if form == "torch" else f"latency-{size}-{form}",
        number=12,
        what=f"a plan of size {size}, two cameras, {'fp32' if form == 'torch' else '8 bits'}",
        peer="TinyVLA's released code, fp32",
        bar=BARS[form],
        unit="plan of 16 actions",
        check=compared(plans.chunks["ours"], plans.chunks["peer"], form),
        rounds=rounds,
        more={"weights": weights},
        versions=versions,
    )


class Plans:
    """What each side has planned for each sight."""

    def __init__(self) -> None:
        self.chunks: dict[str, dict[int, Any]] = {"ours": {}, "peer": {}}

    def turn(self, side: Subject, name: str, index: int, **how: str) -> float:
        """Has a side plan for a sight; the seconds."""
        answer = side.ask("plan", seed=index, **how)
        self.chunks[name][index] = answer["chunk"]
        return answer["seconds"]


def prepare(ours: Subject, peer: Subject, settings: Settings, folder: Path, form: str) -> int:
    """Draws weights, writes them as a released run, and reads them; how many there are."""
    told = options(settings.size)  # of the tower and of the language model
    code, released = str(settings.released_code()), str(folder / "released")
    weights = peer.ask("build", code=code, folder=released, words=str(WORDS), **told)
    read = ours.ask("read", folder=released, words=str(WORDS))
    if weights != read:
        raise Refusal(f"The released model has {weights} weights, ours {read}.")
    if form == "int8":
        ours.ask("export", folder=str(folder / form))
    return read


def compared(ours: dict[int, Any], theirs: dict[int, Any], form: str) -> dict[str, float]:
    """Compares plans for the same sights, and tells how far those for different ones are apart.

    Raises:
        Refusal: If they are farther apart than they may be.
    """
    chunks, wanted = (np.array([side[seed] for seed in sorted(theirs)]) for side in (ours, theirs))
    apart = np.abs(chunks - wanted)
    found = float(apart.max() if form == "torch" else apart.mean())
    if not found <= CLOSE[form]:
        raise Refusal(
            f"The plans are {found:.2g} apart, where at most {CLOSE[form]:g} is the same.\n"
            "A ratio between unequal things means nothing."
        )
    others = np.abs(np.roll(wanted, 1, axis=0) - wanted).mean()
    return {
        "plans": float(len(chunks)),
        "largest difference": float(apart.max()),
        "mean difference": float(apart.mean()),
        "between plans for different pictures": float(others),
    }
