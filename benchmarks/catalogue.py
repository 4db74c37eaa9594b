"""The benchmarks by name."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

from benchmarks.findings import Finding
from benchmarks.settings import Settings
from tinyvla_gym.errors import UnknownNameError


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """One row of the table in docs/benchmarks.md, or half of one."""

    measure: str
    """``module:function``, imported when it is run."""
    what: str
    """For the list that ``--help`` shows."""

    def run(self, settings: Settings) -> list[Finding]:
        """Measures."""
        module, _, function = self.measure.partition(":")
        measure: Callable[[Settings], list[Finding]] = getattr(import_module(module), function)
        return measure(settings)


BENCHMARKS = {
    "step": Benchmark(
        measure="benchmarks.steps:against_metaworld", what="a step without pictures: metaworld"
    ),
    "step-envpool": Benchmark(
        measure="benchmarks.steps:against_envpool", what="a step without pictures: EnvPool"
    ),
    "pixels": Benchmark(
        measure="benchmarks.pixels:against_metaworld",
        what="a step with a picture: metaworld and Gymnasium's renderer",
    ),
    "pixels-envpool": Benchmark(
        measure="benchmarks.pixels:against_envpool", what="a step with a picture: EnvPool"
    ),
    "order": Benchmark(
        measure="benchmarks.order:measure", what="picture error of 8 envs in one process"
    ),
    "demonstrations": Benchmark(
        measure="benchmarks.demonstrations:measure", what="2,500 demonstrations: metaworld"
    ),
    "construction": Benchmark(
        measure="benchmarks.construction:measure", what="building MT50 with its goals: metaworld"
    ),
    "evaluation": Benchmark(
        measure="benchmarks.evaluation:of_expert", what="evaluating the expert: LeRobot's loop"
    ),
    "evaluation-nano": Benchmark(
        measure="benchmarks.evaluation:of_nano", what="evaluating nano: LeRobot's loop"
    ),
    "batches": Benchmark(
        measure="benchmarks.batches:measure", what="windows for training: LeRobot's reader, HDF5"
    ),
    "latency": Benchmark(
        measure="benchmarks.latency:in_float32", what="a plan of TinyVLA: its released code"
    ),
    "latency-int8": Benchmark(
        measure="benchmarks.latency:in_8_bits", what="the same with weights of 8 bits"
    ),
    "lora-step": Benchmark(
        measure="benchmarks.learning:measure", what="a LoRA step of TinyVLA: its released code"
    ),
    "presets": Benchmark(
        measure="benchmarks.presets:measure", what="a plan and a LoRA step of every preset"
    ),
    "one-step": Benchmark(
        measure="benchmarks.one_step:measure", what="the one-step head: the ten-step one"
    ),
    "memory": Benchmark(measure="benchmarks.memory:measure", what="memory of one more env"),
    "tick": Benchmark(measure="benchmarks.tick:measure", what="the control tick of two arms"),
}


def benchmark_named(name: str) -> Benchmark:
    """Looks a benchmark up.

    Raises:
        UnknownNameError: If there is none of that name.
    """
    if name not in BENCHMARKS:
        raise UnknownNameError("benchmark", name, BENCHMARKS)
    return BENCHMARKS[name]
