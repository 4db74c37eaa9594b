"""A plan on one core: ours against TinyVLA's released code, with the same random weights."""

from pathlib import Path
from tempfile import TemporaryDirectory

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
CHECKED = 3


def measure(settings: Settings) -> list[Finding]:
    """Plans in turns: ours on torch, the peer, ours with 8-bit weights on ONNX Runtime, the peer.

    Raises:
        Refusal: If the plans differ.
    """
    size = settings.size
    with (
        TemporaryDirectory() as folder,
        peers.released() as peer,
        peers.planners() as ours,
    ):
        weights = prepare(ours, peer, size, Path(folder), settings.released_code())
        versions = {"ours": ours.ask("versions"), "peer": peer.ask("versions")}
        return [
            Finding(
                name=f"latency-{size}-{form}",
                number=10,
                what=f"a plan of size {size}, two cameras, {'8-bit' if form == 'int8' else 'fp32'}",
                peer="TinyVLA's released code, fp32",
                bar=bar,
                unit="plan of 16 actions",
                check=compare(ours, peer, form),
                rounds=interleave(
                    lambda index, form=form: ours.ask("plan", form=form, seed=index)["seconds"],
                    lambda index: peer.ask("plan", seed=index)["seconds"],
                    settings.rounds,
                ),
                more={"weights": weights},
                versions=versions,
            )
            for form, bar in BARS.items()
        ]


def prepare(ours: Subject, peer: Subject, size: str, folder: Path, code: Path) -> int:
    """Has the peer draw weights, and ours import them, once as they are and once rounded."""
    told = {key: value for key, value in options(size).items() if key in ("vision", "body")}
    released, words = folder / "released", str(WORDS)
    weights = peer.ask("build", code=str(code), folder=str(released), words=words, **told)
    read = ours.ask("read", folder=str(released), words=words)
    if weights != read:
        raise Refusal(f"The released model has {weights} weights, ours {read}.")
    ours.ask("export", folder=str(folder / "int8"))
    return read


def compare(ours: Subject, peer: Subject, form: str) -> dict[str, float]:
    """Compares plans of several sights; how far they are apart, and how far those of others are.

    Raises:
        Refusal: If they are farther apart than they may be.
    """
    theirs = np.array([peer.ask("plan", seed=seed)["chunk"] for seed in range(CHECKED)])
    chunks = np.array([ours.ask("plan", form=form, seed=seed)["chunk"] for seed in range(CHECKED)])
    apart = np.abs(chunks - theirs)
    found = float(apart.max() if form == "torch" else apart.mean())
    if not found <= CLOSE[form]:
        raise Refusal(f"Plans ({form}) are {found:.2g} apart, at most {CLOSE[form]:g} is the same.")
    others = np.abs(np.roll(theirs, 1, axis=0) - theirs).mean()
    return {
        "largest difference": float(apart.max()),
        "mean difference": float(apart.mean()),
        "of plans for other pictures": float(others),
    }
