"""Several envs side by side in worker processes, with the results of those in one process."""

import warnings
import weakref
from collections import deque
from collections.abc import Iterable
from functools import cache
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from tinyvla_gym.cores import crowding
from tinyvla_gym.envs.crew import Crew
from tinyvla_gym.envs.vector import (
    BatchedObservation,
    InstructedVectorEnv,
    MakeEnv,
    Seeds,
    autoreset_mode_named,
    check_count,
    options_of,
)
from tinyvla_gym.envs.worker import Facts, Request
from tinyvla_gym.errors import ConfigError
from tinyvla_gym.interface import Observation

TIMEOUT_S = 60.0
"""How long a worker may take for a reset, a step or a call before it counts as hung."""


class ParallelVectorEnv(InstructedVectorEnv):
    """N envs in worker processes, one core each: ``gym.make_vec(id, num_envs=N, workers=W)``.

    Every result equals ``InstructedVectorEnv``'s, in all autoreset modes. What an env raises is
    raised here, with a note that names the env; reset before going on. A worker that dies or
    hangs stops them all, and the error names it and its envs.
    """

    def __init__(
        self,
        make_env: MakeEnv,
        num_envs: int,
        *,
        workers: int,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        """Starts the workers and makes the envs in them.

        Args:
            make_env: Makes one env; called in the workers, N times in all.
            num_envs: How many, N.
            workers: Processes; at most one per env is started.
            autoreset_mode: As for ``InstructedVectorEnv``.
            timeout_s: How long a worker may take for a reset, a step or a call [s]; to start,
                it has 300 s.

        Raises:
            ConfigError: If there is not at least one env and one worker, or no time.
            WorkerDiedError: If a worker dies.
            WorkerTimeoutError: If a worker does not start.
        """
        check_count(num_envs)
        if workers < 1 or timeout_s <= 0:
            raise ConfigError(
                "A vector of envs in processes needs at least one worker and some time, got "
                f"workers={workers}, timeout_s={timeout_s}."
            )
        mode = autoreset_mode_named(autoreset_mode)
        workers = min(workers, num_envs)
        if (crowded := crowding(workers)) is not None:
            _warn(crowded)
        self._crew = Crew(
            make_env,
            num_envs,
            workers,
            timeout_s=timeout_s,
            resets_at_end=mode is AutoresetMode.SAME_STEP,
        )
        weakref.finalize(self, self._crew.kill, "it was forgotten")
        self._heard: list[deque[tuple[Any, ...]]] = [deque() for _ in range(num_envs)]
        stand_ins = iter([_StandIn(self._crew.facts, answers) for answers in self._heard])
        super().__init__(stand_ins.__next__, num_envs, autoreset_mode=mode)

    def reset(
        self, *, seed: Seeds = None, options: dict[str, Any] | None = None
    ) -> tuple[BatchedObservation, dict[str, Any]]:
        """Begins N episodes, or with ``reset_mask`` some of them; see the parent class."""
        seeds, options = self._checked_reset(seed, options)
        mask = (options or {}).get("reset_mask", np.ones(self.num_envs, bool))
        self._ask(
            Request(
                slot=slot,
                verb="reset",
                options={"seed": seeds[slot], "options": options_of(slot, options)},
            )
            for slot in np.flatnonzero(mask).tolist()
        )
        return super().reset(seed=seeds, options=options)

    def step(self, actions: NDArray[np.float32]) -> tuple[BatchedObservation, Any, Any, Any, Any]:
        """Plays one control tick in every env, all at the same time; see the parent class."""
        actions = self._checked_actions(actions)
        begins = self._autoreset_envs & (self.autoreset_mode is AutoresetMode.NEXT_STEP)
        self._ask(
            Request(slot=slot, verb="reset")
            if begins[slot]
            else Request(slot=slot, verb="step", arguments=(action,))
            for slot, action in enumerate(actions)
        )
        return super().step(actions)

    def call(self, name: str, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
        """Calls a method of every env, or reads an attribute; answers come in order.

        Arguments and answers are copies: they go through pipes.
        """
        return self._ask(
            Request(slot=slot, verb="call", arguments=(name, *args), options=kwargs)
            for slot in range(self.num_envs)
        )

    def set_attr(self, name: str, values: list[Any] | tuple[Any, ...] | Any) -> None:
        """Sets an attribute of every env: to one value, or to N if it is a list or tuple."""
        values = values if isinstance(values, list | tuple) else [values] * self.num_envs
        if len(values) != self.num_envs:
            raise ConfigError(f"{name} has {len(values)} values for {self.num_envs} envs.")
        self._ask(
            Request(slot=slot, verb="set", arguments=(name, value))
            for slot, value in enumerate(values)
        )

    def render(self) -> tuple[Any, ...]:
        """Draws every env's scene for people."""
        return self.call("render")

    def close_extras(self, **kwargs: Any) -> None:
        """Ends the workers; whoever does not end within 5 s is killed."""
        if hasattr(self, "_crew"):
            self._crew.close()

    def _ask(self, requests: Iterable[Request]) -> tuple[Any, ...]:
        """Asks the workers; answers to ``reset`` and ``step`` are laid ready for Gymnasium."""
        requests = list(requests)
        answers = self._crew.ask(requests)
        for request, answer in zip(requests, answers, strict=True):
            if request.verb in ("reset", "step"):
                *ended, (instruction, *rest) = answer
                now = self._crew.memory.read(request.slot, instruction)
                self._heard[request.slot].extend([*ended, (now, *rest)])
        return tuple(answers)


class _StandIn(gym.Env[Observation, NDArray[np.float32]]):
    """In the place of an env that lives in a worker: says what that one has answered already.

    So Gymnasium's own loop over envs does the batching, and the results are the same by
    construction.
    """

    def __init__(self, facts: Facts, answers: deque[tuple[Any, ...]]) -> None:
        self.observation_space = facts.observation_space
        self.action_space: gym.spaces.Box = facts.action_space  # pyright: ignore[reportIncompatibleVariableOverride]
        self.metadata = facts.metadata
        self.render_mode = facts.render_mode
        self._answers = answers

    def reset(self, **_: Any) -> tuple[Any, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        return self._answers.popleft()

    def step(self, action: NDArray[np.float32]) -> tuple[Any, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        return self._answers.popleft()


@cache  # said once
def _warn(crowded: str) -> None:
    warnings.warn(crowded, stacklevel=3)
