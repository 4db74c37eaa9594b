"""python -m benchmarks.sizes: how long plans take, size by size and against models of 7 billion.

One core, random weights, float32, two cameras, horizons of 1, 8 and 16 actions. Times are seconds
of one thread's processor. A body of 7 billion weights does not fit into memory beside others in
this precision, so a few of its layers are timed and the rest is extrapolated, which is said. The
parallel decoder is such a body that says all actions in one reading, as OpenVLA-OFT does.
"""

import argparse
import statistics
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from time import process_time

import torch
from torch import Tensor
from transformers import LlamaConfig, LlamaModel

from benchmarks.gpu_check import random_policy, seen
from benchmarks.machine import facts
from tinyvla_gym.data.atomic import check_writable, save_json
from tinyvla_gym.errors import TinyVLAError
from tinyvla_gym.policies.openvla.model import OPENVLA_7B, OpenVLA
from tinyvla_gym.policies.tinyvla.onednn import use_onednn
from tinyvla_gym.policies.tinyvla.released.franka import franka_interface
from tinyvla_gym.training.presets import preset

HORIZONS = (1, 8, 16)
SHORTEST = 4
"""Actions in the shortest chunk of a U-Net; of one for a horizon of 1, the rest is not played."""
CAMERAS = ("left", "right")
PROMPT = 20
"""Pieces of OpenVLA's prompt."""
PATCHES = 256
"""Of one picture, in OpenVLA."""
ENTRIES = 7
"""Of an action, in OpenVLA."""
FEW = (1, 3)
"""Layers of a large body that are timed."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One model and horizon.

    Attributes:
        model: Its name.
        horizon: Actions of a plan that are played.
        plan_s: Seconds of one plan.
        extrapolated: Whether most of it was not run.
    """

    model: str
    horizon: int
    plan_s: float
    extrapolated: bool = False

    def line(self) -> str:
        """A row of the table in Markdown."""
        mark = "about " if self.extrapolated else ""
        return (
            f"| {self.model} | {self.horizon} | {mark}{self.plan_s:.3g} "
            f"| {mark}{self.plan_s / self.horizon:.3g} |"
        )


def median_s(work: Callable[[], object], times: int = 3) -> float:
    """The median of a few runs behind one that warms up."""
    took = []
    for _ in range(times + 1):
        began = process_time()
        work()
        took.append(process_time() - began)
    return statistics.median(took[1:])


@torch.no_grad()
def ours(size: str, head: str) -> Iterator[Row]:
    """TinyVLA of a size with a head."""
    for horizon in HORIZONS:
        chunk = max(horizon, SHORTEST) if head == "diffusion" else horizon
        config = replace(preset(size).model, head=head, horizon=chunk, execute=horizon)
        policy = random_policy(config, franka_interface(CAMERAS))
        (observation,) = seen(policy.spec.interface, 1)
        seconds = median_s(lambda p=policy, o=observation: p.plan(o))
        yield Row(model=f"TinyVLA-{size.upper()}, {head}", horizon=horizon, plan_s=seconds)


def large() -> Iterator[Row]:
    """OpenVLA-7B, and a parallel decoder of its size."""
    look_s = 2 * look()
    read_s, say_s = per_layer("read"), per_layer("say")
    layers = OPENVLA_7B.llama["num_hidden_layers"]
    heard = len(CAMERAS) * PATCHES + PROMPT
    for horizon in HORIZONS:
        words = horizon * ENTRIES
        after = layers * (read_s(heard) + (words - 1) * say_s(heard))
        yield Row(model="OpenVLA-7B", horizon=horizon, plan_s=look_s + after, extrapolated=True)
    for horizon in HORIZONS:
        seconds = look_s + layers * read_s(heard + horizon * ENTRIES)
        yield Row(model="parallel decoder, 7B", horizon=horizon, plan_s=seconds, extrapolated=True)


@torch.no_grad()
def look() -> float:
    """Seconds that both towers and the projector take for one picture."""
    small = {**OPENVLA_7B.llama, "num_hidden_layers": 1, "vocab_size": 512}
    eyes = OpenVLA(replace(OPENVLA_7B, llama=small)).eval()
    use_onednn(eyes)
    picture = torch.rand(1, 3, OPENVLA_7B.side, OPENVLA_7B.side)
    return median_s(lambda: eyes.look(picture))


def per_layer(what: str) -> Callable[[int], float]:
    """Times one layer of the large body: reading so many tokens, or saying one after them."""

    def timed(tokens: int) -> float:
        fewer, more = (layers_s(what, count, tokens) for count in FEW)
        return (more - fewer) / (FEW[1] - FEW[0])

    return timed


@torch.no_grad()
def layers_s(what: str, count: int, tokens: int) -> float:
    """Seconds that a body of ``count`` layers takes."""
    config = LlamaConfig(**{**OPENVLA_7B.llama, "num_hidden_layers": count, "vocab_size": 512})
    body = LlamaModel(config).eval()
    use_onednn(body)
    heard = torch.randn(1, tokens, config.hidden_size)
    if what == "read":
        return median_s(lambda: body(inputs_embeds=heard, use_cache=True))
    past = body(inputs_embeds=heard, use_cache=True).past_key_values
    word: Tensor = torch.randn(1, 1, config.hidden_size)
    return median_s(lambda: body(inputs_embeds=word, past_key_values=past, use_cache=True))


def rows() -> Iterator[Row]:
    """All of the table."""
    for size in ("s", "b", "h"):
        yield from ours(size, "diffusion")
    yield from ours("s", "tokens")
    yield from large()


def main(arguments: list[str] | None = None) -> int:
    """Measures the table, row by row."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sizes")
    parser.add_argument("--json", type=Path, default=Path("runs/sizes.json"), metavar="FILE")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    told = {
        "machine": facts(),
        "versions": {name: version(name) for name in ("tinyvla-gym", "torch", "transformers")},
    }
    try:
        check_writable(options.json)
        found: list[Row] = []
        for row in rows():
            print(row.line(), flush=True)
            found.append(row)
            save_json(options.json, {**told, "rows": [asdict(one) for one in found]})
    except TinyVLAError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
