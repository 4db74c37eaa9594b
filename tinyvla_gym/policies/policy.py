"""What a policy is, and which env it fits. Nothing here imports torch."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tinyvla_gym.errors import ChunkLengthError, ConfigError, InterfaceMismatchError
from tinyvla_gym.interface import ActionChunk, Interface, Observation


@dataclass(frozen=True, kw_only=True)
class PolicySpec:
    """The promises a policy was trained under; saved with its weights.

    Attributes:
        name: How messages and reports call the policy.
        interface: The observations it reads and the actions it writes.
        profile: Render profile of the pictures it was trained on; empty if none.
        horizon: Actions in one chunk, K.
        execute: How many of them to play before planning again, 1 <= execute <= K.
        history: Observations that one plan reads; 1 is the newest alone.
        env_options: ``gym.make(id, **env_options)`` gives an env that fits.
        noise_shape: Shape of the standard normal noise that one plan consumes, (K, A) for
            chunk diffusion; None if plans are not random.
    """

    name: str
    interface: Interface
    profile: str = ""
    horizon: int
    execute: int
    history: int = 1
    env_options: Mapping[str, Any] = field(default_factory=dict)
    noise_shape: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        if self.horizon < 1:
            raise ConfigError(f"{self.name} plans {self.horizon} actions; a chunk needs 1 or more.")
        if not 1 <= self.execute <= self.horizon:
            raise ChunkLengthError(self.execute, self.horizon)
        if self.history < 1:
            raise ConfigError(f"{self.name} reads {self.history} observations; it needs 1 or more.")

    def to_dict(self) -> dict[str, Any]:
        """Returns plain dictionaries, lists, numbers and strings, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, facts: Mapping[str, Any]) -> "PolicySpec":
        """Reads what ``to_dict`` wrote, also after JSON turned tuples into lists.

        Raises:
            ConfigError: If a key is missing or unknown.
        """
        wanted = {entry.name for entry in fields(cls)}
        if set(facts) != wanted:
            raise ConfigError(
                f"A policy's spec has the keys {', '.join(sorted(wanted))}; "
                f"missing: {', '.join(sorted(wanted - set(facts))) or 'none'}; "
                f"unknown: {', '.join(sorted(set(facts) - wanted)) or 'none'}."
            )
        noise_shape = facts["noise_shape"]
        typed = {
            "interface": Interface.from_dict(facts["interface"]),
            "noise_shape": None if noise_shape is None else tuple(noise_shape),
        }
        return cls(**{**facts, **typed})


class Policy(Protocol):
    """Plans a chunk of actions from one observation.

    Normalisation, tokenising and devices are the policy's own business: what goes in is
    what ``env.step`` returned, and what comes out may be handed to ``env.step`` row by row.

    One that plans in another process may have a method ``check_alive``, too; see below.
    """

    @property
    def spec(self) -> PolicySpec:
        """What the policy was trained under; never changes."""
        ...

    def reset(self, *, seed: int | None = None) -> None:
        """Forgets the last episode; call once after every ``env.reset``.

        Args:
            seed: Seeds the policy's own sampling. None leaves its generator alone.
        """
        ...

    def plan(self, observation: Observation) -> ActionChunk:
        """Plans the next K actions.

        Args:
            observation: One observation, unbatched, as the env returned it.

        Returns:
            Actions in the units of ``spec.interface``, float32, shape (K, A). Row 0 is
            for the tick in which ``observation`` was taken.
        """
        ...

    def plan_batch(
        self, observations: Sequence[Observation], *, noise: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """Plans for N envs at once; each row is what ``plan`` would answer.

        Args:
            observations: One per env, as the envs returned them.
            noise: Standard normal, shape (N, *spec.noise_shape); it takes the place of the
                policy's own generator. None lets the policy draw.

        Returns:
            Actions, float32, shape (N, K, A).
        """
        ...


def check_alive(policy: Policy) -> None:
    """Asks a policy that plans elsewhere whether it still does; others do not know the question.

    Whoever moves real arms asks all the time, so that they do not drive through the rest of a plan
    when nobody is there any more who would make the next one.

    Raises:
        PolicyLostError: If it does not.
    """
    ask = getattr(policy, "check_alive", None)
    if ask is not None:
        ask()


def check_fit(
    spec: PolicySpec,
    env_interface: Interface,
    env_profile: str,
    *,
    policy_name: str,
    env_name: str,
) -> None:
    """Refuses a policy that was trained for another interface or for other pictures.

    Args:
        spec: What the policy was trained under.
        env_interface: What the env shows and accepts.
        env_profile: The env's render profile; empty if it has none.
        policy_name: How the message calls the policy.
        env_name: How the message calls the env.

    Raises:
        InterfaceMismatchError: If they differ; it lists the policy's side against the env's.
    """
    differences = spec.interface.differences(env_interface)
    if spec.profile and spec.profile != env_profile:
        differences.append(f"render profile: {spec.profile} against {env_profile or 'none'}")
    if differences:
        raise InterfaceMismatchError(policy_name, env_name, differences)
