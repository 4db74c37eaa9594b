"""A LoRA step of size S: ours against TinyVLA's released code, from the same random weights.

One frame, two cameras, float32, no checkpointing, adapters on every linear layer. Ours also keeps
averaged weights, which the released code does not. As it is shipped, the released code computes
activations again in a way that leaves the tower's adapters without a gradient, and so without most
of the work; here both learn everything.
"""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks import peers
from benchmarks.findings import Finding
from benchmarks.latency import WORDS
from benchmarks.lines import Subject
from benchmarks.refusal import Refusal
from benchmarks.rounds import interleave
from benchmarks.settings import Settings
from tinyvla_gym.policies.tinyvla.llava_pythia.sizes import options

CLOSE = 1e-4
"""How far the first losses may be apart; fresh adapters change nothing."""


def measure(settings: Settings) -> list[Finding]:
    """Learns in turns: time, and the most memory.

    Raises:
        Refusal: If the first losses, or the numbers of weights that learn, differ.
    """
    peaks: dict[str, list[float]] = {"ours": [], "peer": []}
    with TemporaryDirectory() as folder, peers.released() as peer, peers.learners() as ours:
        check = prepare(ours, peer, settings.released_code(), Path(folder) / "released")
        for side in (ours, peer):
            side.ask("learn", seed=0)  # the optimiser's moments come into being
        rounds = interleave(
            lambda index: turn(ours, peaks["ours"], index),
            lambda index: turn(peer, peaks["peer"], index),
            settings.rounds,
        )
        versions = {"ours": ours.ask("versions"), "peer": peer.ask("versions")}
    most = {name: max(found) for name, found in peaks.items()}
    facts: dict[str, Any] = {
        "number": 13,
        "peer": "TinyVLA's released code",
        "bar": 1.0,
        "check": check,
        "versions": versions,
    }
    return [
        Finding(
            name="lora-step", what="a LoRA step of size s", unit="frame", rounds=rounds, **facts
        ),
        Finding(
            name="lora-memory",
            what="the most memory in a LoRA step of size s",
            unit="of the peer's",
            value=most["ours"] / most["peer"],
            more={f"{name}_mb": value for name, value in most.items()},
            **facts,
        ),
    ]


def turn(side: Subject, peaks: list[float], seed: int) -> float:
    """Has a side take a step; the seconds."""
    answer = side.ask("learn", seed=seed)
    peaks.append(answer["peak_mb"])
    return answer["seconds"]


def prepare(ours: Subject, peer: Subject, code: Path, folder: Path) -> dict[str, float]:
    """Gives both the same weights and adapters, and compares their first losses."""
    told = options("s")
    peer.ask("build", code=str(code), folder=str(folder), words=str(WORDS), **told)
    ours.ask("read", folder=str(folder), words=str(WORDS))
    learning = {
        name: side.ask("adapt", checkpointing=False)
        for name, side in (("ours", ours), ("peer", peer))
    }
    if learning["ours"] != learning["peer"]:
        raise Refusal(f"Not as many weights learn on both sides: {learning}.")
    losses = ours.ask("loss", seed=0), peer.ask("learn", seed=0)["loss"]
    apart = abs(losses[0] - losses[1])
    if not apart <= CLOSE * losses[1]:
        raise Refusal(f"The first losses are {losses[0]:.6g} and {losses[1]:.6g}.")
    return {"weights that learn": float(learning["ours"]), "first losses apart": apart}
