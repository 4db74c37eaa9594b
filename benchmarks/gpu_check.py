"""python -m benchmarks.gpu_check: what only a GPU can show. It has not been run on one yet.

Three things: plans are those of the CPU, in float32 and in bfloat16; a LoRA step of each published
size fits in 24 GB; and how long a plan takes. Everything goes into one JSON file.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch

from benchmarks.machine import facts
from tinyvla_gym.data.atomic import check_writable, save_json
from tinyvla_gym.errors import TinyVLAError
from tinyvla_gym.interface import Interface, Observation
from tinyvla_gym.policies.load import BUNDLED
from tinyvla_gym.policies.normalize import Normalizer
from tinyvla_gym.policies.policy import PolicySpec
from tinyvla_gym.policies.tinyvla.config import TinyVLAConfig, build
from tinyvla_gym.policies.tinyvla.lora import add_lora
from tinyvla_gym.policies.tinyvla.policy import TinyVLAPolicy
from tinyvla_gym.policies.tinyvla.released.franka import franka_interface
from tinyvla_gym.training.presets import preset

SIZES = ("s", "b", "h")
MOST_GB = 24.0
BATCH = 4
"""Frames in the LoRA step whose memory is measured."""
MOST_APART = {torch.float32: 1e-3, torch.bfloat16: 5e-2}
"""Largest mean difference of plans from the CPU's, as a fraction of [-1, 1]'s half."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """One number, and the bar that it must not exceed; without a bar it is only told."""

    name: str
    value: float
    unit: str
    bar: float | None = None

    @property
    def holds(self) -> bool:
        """Whether the bar was kept."""
        return self.bar is None or self.value <= self.bar

    def line(self) -> str:
        """What is printed."""
        against = "" if self.bar is None else f", at most {self.bar:g}"
        verdict = "ok" if self.holds else "BROKEN"
        return f"{verdict:<7}{self.name}: {self.value:.4g} {self.unit}{against}"


def random_policy(config: TinyVLAConfig, interface: Interface) -> TinyVLAPolicy:
    """Builds a policy that has learned nothing, on the CPU."""
    torch.manual_seed(0)
    states, actions = len(interface.state), len(interface.action)
    normalizer = Normalizer(
        state_names=interface.state,
        state_mean=np.zeros(states, np.float32),
        state_std=np.ones(states, np.float32),
        action_names=interface.action,
        action_low=-np.ones(actions, np.float32),
        action_high=np.ones(actions, np.float32),
    )
    spec = PolicySpec(
        name="random weights",
        interface=interface,
        horizon=config.horizon,
        execute=config.execute,
        noise_shape=config.noise_shape(interface),
    )
    return TinyVLAPolicy(build(config, interface), config, spec, normalizer)


def seen(interface: Interface, count: int) -> list[Observation]:
    """Observations drawn at random, with a sentence."""
    space = interface.observation_space()
    space.seed(0)
    return [{**space.sample(), "instruction": "open the drawer"} for _ in range(count)]


def apart(policy: TinyVLAPolicy, device: torch.device, kind: torch.dtype) -> float:
    """Mean difference between a device's plans and the CPU's float32 ones, in normal units.

    Args:
        policy: Left on the CPU.
        device: The other one.
        kind: What the backbone computes with there; the head keeps float32.
    """
    observations = seen(policy.spec.interface, 4)
    shape = (4, policy.spec.horizon, len(policy.spec.interface.action))
    noise = np.random.default_rng(0).standard_normal(shape, np.float32)
    wanted = policy.normalizer.action(policy.plan_batch(observations, noise=noise))
    policy.model.to(device)
    try:
        with torch.autocast(device.type, kind, enabled=kind != torch.float32):
            got = policy.normalizer.action(policy.plan_batch(observations, noise=noise))
    finally:
        policy.model.cpu()
    return float(np.abs(got - wanted).mean())


def lora_step(
    policy: TinyVLAPolicy,
    device: torch.device,
    *,
    rank: int,
    alpha: float,
    count: int = BATCH,
    half: bool = True,
) -> float:
    """Adapts a policy and takes one optimiser step, in bfloat16 where autocast allows; the loss.

    Args:
        policy: Changed in place.
        device: Where.
        rank: Of the adapters.
        alpha: Of the adapters.
        count: Frames.
        half: Whether there is an autocast to bfloat16.
    """
    interface, horizon = policy.spec.interface, policy.spec.horizon
    add_lora(policy.model, rank=rank, alpha=alpha)
    policy.model.to(device).train()
    trained = [weight for weight in policy.model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(trained)
    inputs = policy.inputs(seen(interface, count))
    chunks = torch.zeros(count, horizon, len(interface.action), device=device)
    is_pad = torch.zeros(count, horizon, dtype=torch.bool, device=device)
    with torch.autocast(device.type, torch.bfloat16, enabled=half):
        loss = policy.model.loss(inputs, chunks, is_pad)
    loss.backward()
    optimizer.step()
    return float(loss.detach())


def peak_gb(work: Callable[[], object]) -> float:
    """The most memory that the GPU's allocator held while something ran [GB]."""
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    work()
    return torch.cuda.max_memory_reserved() / 1e9


def plan_ms(policy: TinyVLAPolicy, device: torch.device, *, plans: int = 20) -> float:
    """Median time of a plan for one observation, in bfloat16 where autocast allows [ms]."""
    policy.model.to(device).eval()
    (observation,) = seen(policy.spec.interface, 1)
    times_ms = []
    with torch.autocast(device.type, torch.bfloat16):
        for _ in range(plans + 1):
            began_s = time.perf_counter()
            policy.plan(observation)  # comes back to the CPU, so the GPU has finished
            times_ms.append(1e3 * (time.perf_counter() - began_s))
    return statistics.median(times_ms[1:])  # the first one warms up


def checks(device: torch.device) -> Iterator[Check]:
    """Everything, one number after the other."""
    torch.backends.cudnn.allow_tf32 = False  # float32 means float32
    nano = TinyVLAPolicy.from_pretrained(BUNDLED / "nano")
    for kind, bar in MOST_APART.items():
        name = f"nano's plans in {str(kind).removeprefix('torch.')} against the CPU's"
        yield Check(name=name, value=apart(nano, device, kind), unit="of 1", bar=bar)
    interface = franka_interface(("left", "right"))
    for size in SIZES:
        config = preset(size)
        policy = random_policy(config.model, interface)
        value = plan_ms(policy, device)
        yield Check(name=f"{size}: plan, two cameras", value=value, unit="ms")
        yield Check(name=f"{size}: per action", value=value / policy.spec.horizon, unit="ms")
        rank, alpha = config.lora_rank, config.lora_alpha
        value = peak_gb(partial(lora_step, policy, device, rank=rank, alpha=alpha))
        yield Check(name=f"{size}: LoRA step, batch {BATCH}", value=value, unit="GB", bar=MOST_GB)


def main(arguments: list[str] | None = None) -> int:
    """Runs the checks; 0 only if every bar was kept."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu_check")
    parser.add_argument("--json", type=Path, default=Path("runs/gpu-check.json"), metavar="FILE")
    options = parser.parse_args(arguments)
    if not torch.cuda.is_available():
        print("error: there is no CUDA device here, so nothing was checked.", file=sys.stderr)
        return 1
    try:
        return _run(options.json)
    except (TinyVLAError, torch.OutOfMemoryError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _run(path: Path) -> int:
    check_writable(path)
    device = torch.device("cuda")
    told = {
        "device": torch.cuda.get_device_name(device),
        "machine": facts(),
        "versions": {name: version(name) for name in ("tinyvla-gym", "torch", "transformers")},
    }
    found = []
    for check in checks(device):
        print(check.line(), flush=True)
        found.append(check)
        rows = [{**asdict(one), "holds": one.holds} for one in found]
        save_json(path, {**told, "checks": rows})  # each time: the next one may end it all
    print(f"written to {path}")
    return 0 if all(check.holds for check in found) else 1


if __name__ == "__main__":
    sys.exit(main())
