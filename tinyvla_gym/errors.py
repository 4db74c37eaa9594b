"""Every error this package raises on purpose."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path


class TinyVLAError(Exception):
    """Base of the package's errors; catch this to catch them all."""


class UnknownNameError(TinyVLAError, ValueError):
    """A task, camera, profile, policy or other name that does not exist."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        known = sorted(known)
        close = get_close_matches(name, known, n=1, cutoff=0.4)
        guess = f" Did you mean {close[0]!r}?" if close else ""
        super().__init__(f"There is no {kind} {name!r}.{guess}\nKnown: {', '.join(known)}.")


class InstructionError(TinyVLAError, ValueError):
    """A sentence that the interface cannot carry."""


class ActionNotFiniteError(TinyVLAError, ValueError):
    """An action with NaN or infinity; nothing has moved."""

    def __init__(self, names: Sequence[str], values: Sequence[float]) -> None:
        bad = [f"{name}={value}" for name, value in zip(names, values, strict=True)]
        super().__init__(f"The action is not finite, so nothing was moved: {', '.join(bad)}.")


class EpisodeOverError(TinyVLAError, RuntimeError):
    """A step without a running episode."""

    def __init__(self, env: str) -> None:
        super().__init__(f"{env} has no running episode: call reset() before step().")


class LiveEnvError(TinyVLAError, RuntimeError):
    """Something that must not be done with real arms."""

    def __init__(self, who: str) -> None:
        super().__init__(
            f"This env moves real arms, and {who} would move them anyhow. Make the env without "
            "live=..., which moves a simulated shadow."
        )


class InterfaceMismatchError(TinyVLAError, ValueError):
    """A policy and an env disagree about the observation/action interface."""

    def __init__(self, policy: str, env: str, differences: Sequence[str]) -> None:
        listed = "\n".join(f"  - {difference}" for difference in differences)
        super().__init__(
            f"{policy} cannot drive {env}:\n{listed}\n"
            "Make the env with gym.make(id, **policy.spec.env_options), or load another policy."
        )


class ChunkLengthError(TinyVLAError, ValueError):
    """More actions were asked of a chunk than it holds."""

    def __init__(self, execute: int, horizon: int) -> None:
        super().__init__(
            f"execute={execute} does not fit a chunk of {horizon} actions: "
            f"choose 1 <= execute <= {horizon}."
        )


class PolicyLostError(TinyVLAError, ConnectionError):
    """A policy that plans elsewhere, and does so no more."""

    def __init__(self, policy: str, problem: str) -> None:
        super().__init__(f"The policy {policy} is lost: {problem} Start it again.")


class ConfigError(TinyVLAError, ValueError):
    """Settings that contradict each other or the machine."""


class WorkerDiedError(TinyVLAError, RuntimeError):
    """A worker process of a vector env ended unasked."""

    def __init__(self, worker: str, envs: Sequence[int], code: int, last_error: str) -> None:
        how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
        if last_error:
            why = f"The last error in it was {last_error}"
        elif code < 0:
            why = "Was memory short?"
        else:
            why = "A script must start work below `if __name__ == '__main__':`."
        super().__init__(f"{_held(worker, envs)} {how}. {why}\n{_ALL_STOPPED}")


class WorkerTimeoutError(TinyVLAError, TimeoutError):
    """A worker process of a vector env did not answer in time."""

    def __init__(self, worker: str, envs: Sequence[int], timeout_s: float, last_error: str) -> None:
        why = f" The last error in it was {last_error}" if last_error else ""
        super().__init__(
            f"{_held(worker, envs)} has not answered for {timeout_s:g} s.{why}\n{_ALL_STOPPED} "
            "If its work takes longer, raise timeout_s."
        )


class WorkersStoppedError(TinyVLAError, RuntimeError):
    """A vector env whose worker processes have been stopped was asked for something."""

    def __init__(self, why: str) -> None:
        super().__init__(
            f"This vector env's workers have been stopped because {why}.\nMake a new vector env."
        )


_ALL_STOPPED = "All workers have been stopped: make a new vector env."


def _held(worker: str, envs: Sequence[int]) -> str:
    return f"{worker.capitalize()}, with env {', '.join(map(str, envs))} in it,"


class DatasetError(TinyVLAError, ValueError):
    """A dataset that is not one, is cut short, or does not fit."""

    def __init__(self, path: Path | str, problem: str) -> None:
        super().__init__(f"The dataset {path} cannot be used: {problem}")


class CheckpointError(TinyVLAError, ValueError):
    """A checkpoint that is not one, is cut short, or does not fit."""

    def __init__(self, path: Path | str, problem: str) -> None:
        super().__init__(f"The checkpoint {path} cannot be used: {problem}")


class OutputError(TinyVLAError, OSError):
    """A place that cannot be written to."""

    def __init__(self, path: Path | str, problem: str) -> None:
        super().__init__(f"Cannot write to {path}: {problem}")


class GraphicsError(TinyVLAError, RuntimeError):
    """No headless OpenGL on this machine."""


class MissingExtraError(TinyVLAError, ImportError):
    """A part of the package whose optional dependency is not installed."""

    def __init__(self, part: str, extra: str) -> None:
        super().__init__(f'{part} needs an optional part; run: pip install "tinyvla-gym[{extra}]"')
