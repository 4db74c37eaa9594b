"""The inside of a worker process: it holds some envs of a vector and does what it is asked."""

import signal
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import gymnasium as gym

from tinyvla_gym.envs.shared import SharedObservations
from tinyvla_gym.envs.vector import MakeEnv

Env = gym.Env[Any, Any]


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a worker says of its envs once they are made."""

    observation_space: gym.spaces.Dict
    action_space: gym.spaces.Box
    metadata: dict[str, Any]
    render_mode: str | None


@dataclass(frozen=True, kw_only=True)
class Request:
    """Something for one env to do: ``reset``, ``step``, ``call`` or ``set``."""

    slot: int
    verb: str
    arguments: tuple[Any, ...] = ()
    options: dict[str, Any] | None = None


@dataclass(frozen=True, kw_only=True)
class Failure:
    """What an env raised, in a form that always survives the way to the parent."""

    kind: type[Exception]
    arguments: tuple[Any, ...]
    trace: str

    @classmethod
    def of(cls, error: Exception) -> "Failure":
        """Takes an exception apart."""
        return cls(kind=type(error), arguments=error.args, trace=traceback.format_exc())

    def rebuilt(self, note: str) -> Exception:
        """The exception again, with a note."""
        # Not kind(*arguments): constructors of this package take facts and make a message.
        error = self.kind.__new__(self.kind, *self.arguments)
        error.add_note(f"{note}\n{self.trace}")
        return error


def work(
    pipe: Connection,
    make_env: MakeEnv,
    memory: SharedObservations,
    slots: Sequence[int],
    num_envs: int,
    resets_at_end: bool,
) -> None:
    """Serves until the parent says goodbye or is gone.

    It sends ``Facts``, then for each list of ``Request`` a list of answers; or a ``Failure`` in
    the place of either.

    Args:
        pipe: To the parent.
        make_env: Makes one env.
        memory: Where observations go.
        slots: Which envs of the vector are here.
        num_envs: Envs of the whole vector, N.
        resets_at_end: Whether an episode that ends is followed by the next one's reset at once.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's business
    with suppress(EOFError, ConnectionError):
        try:
            envs: dict[int, Env] = {slot: make_env() for slot in slots}
        except Exception as error:  # told to the parent, who raises it
            pipe.send(Failure.of(error))
            return
        first: Any = envs[slots[0]]
        memory.lay_out(first.observation_space, num_envs)
        pipe.send(
            Facts(
                observation_space=first.observation_space,
                action_space=first.action_space,
                metadata=dict(first.metadata),
                render_mode=first.render_mode,
            )
        )
        serve = _Server(envs, memory, resets_at_end).serve
        while (requests := pipe.recv()) is not None:
            answers = [serve(request) for request in requests]
            try:
                pipe.send(answers)
            except Exception as error:  # the answer cannot be pickled; nothing has been sent
                pipe.send([Failure.of(error) for _ in requests])
        for env in envs.values():
            env.close()


class _Server:
    """Does what requests say."""

    def __init__(
        self, envs: dict[int, Env], memory: SharedObservations, resets_at_end: bool
    ) -> None:
        self._envs = envs
        self._memory = memory
        self._resets_at_end = resets_at_end
        self._verbs: dict[str, Callable[[Request, Env], Any]] = {
            "reset": self._reset,
            "step": self._step,
            "call": self._call,
            "set": self._set,
        }

    def serve(self, request: Request) -> Any:
        """Returns the answer to one request, or a ``Failure``."""
        try:
            return self._verbs[request.verb](request, self._envs[request.slot])
        except Exception as error:  # raised again in the parent
            return Failure.of(error)

    def _reset(self, request: Request, env: Env) -> list[tuple[Any, ...]]:
        observation, info = env.reset(**(request.options or {}))
        return [(self._memory.write(request.slot, observation), info)]

    def _step(self, request: Request, env: Env) -> list[tuple[Any, ...]]:
        observation, reward, terminated, truncated, info = env.step(*request.arguments)
        if self._resets_at_end and (terminated or truncated):
            # The row is for the next episode's first observation, so the last one travels whole.
            ended = (observation, reward, terminated, truncated, info)
            return [ended, *self._reset(Request(slot=request.slot, verb="reset"), env)]
        sentence = self._memory.write(request.slot, observation)
        return [(sentence, reward, terminated, truncated, info)]

    def _call(self, request: Request, env: Env) -> Any:
        name, *arguments = request.arguments
        found = env.get_wrapper_attr(name)
        return found(*arguments, **(request.options or {})) if callable(found) else found

    def _set(self, request: Request, env: Env) -> None:
        env.set_wrapper_attr(*request.arguments)
