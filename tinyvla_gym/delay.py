"""Plans that come late: the arm goes on with the old chunk while the next one is thought out."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tinyvla_gym.chunking import PlanningAgent, Slot
from tinyvla_gym.errors import ChunkLengthError, ConfigError
from tinyvla_gym.interface import ActionChunk, Interface, Observation
from tinyvla_gym.policies.policy import Policy


@dataclass(kw_only=True, eq=False)
class LateSlot(Slot):
    """A slot with a clock.

    Attributes:
        tick: Control ticks played in this episode.
        last: The last action, shape (A,), or the one that leaves the arm where it began.
    """

    tick: int = 0
    last: NDArray[np.float32] | None = None


class DelayedHorizon(PlanningAgent):
    """``RecedingHorizon`` with a brain that takes ``delay`` control ticks to think.

    A plan from the observation at tick t governs from tick t + delay on, and begins with its row
    ``delay``: the rows before it were for ticks that have passed. Until then the plan before it
    goes on, beyond the ``execute`` rows that it would have had. There is one brain, so the next
    look comes after ``max(execute, delay)`` ticks. Where no plan has anything for a tick, in the
    first ``delay`` ticks or past a chunk's end, the arm stands still; see ``standing``. With
    ``delay=0`` it is ``RecedingHorizon``.
    """

    def __init__(
        self,
        policy: Policy,
        *,
        delay: int,
        execute: int | None = None,
        pad_to: int | None = None,
    ) -> None:
        """Wraps a policy.

        Args:
            policy: The policy to ask for chunks.
            delay: Control ticks from a look to the first action of its plan.
            execute: Actions to play per chunk; the policy's own choice when None.
            pad_to: See ``PlanningAgent``.

        Raises:
            ConfigError: If ``delay`` is negative, or leaves a plan nothing to say.
            ChunkLengthError: If ``execute`` is not within the policy's horizon.
        """
        horizon = policy.spec.horizon
        self.execute = policy.spec.execute if execute is None else execute
        if not 1 <= self.execute <= horizon:
            raise ChunkLengthError(self.execute, horizon)
        if not 0 <= delay < horizon:
            raise ConfigError(
                f"A plan of {horizon} actions that comes {delay} ticks late says nothing: choose "
                f"0 <= delay < {horizon}."
            )
        self.delay = delay
        self._period = max(self.execute, delay)
        super().__init__(policy, pad_to=pad_to)

    def begin(self, seed: int | None = None) -> LateSlot:
        """Opens a slot for one env's next episode; see ``PlanningAgent.begin``."""
        return LateSlot(generator=super().begin(seed).generator)

    def act_batch(
        self, observations: Sequence[Observation | None], slots: Sequence[Slot]
    ) -> NDArray[np.float32]:
        """Returns one action for each of N envs, shape (N, A); see ``PlanningAgent``."""
        late = [_late(slot) for slot in slots]
        for seen, slot in zip(observations, late, strict=True):
            if slot.last is None and seen is not None:
                slot.last = standing(self.policy.spec.interface, seen["state"])
        actions = super().act_batch(observations, slots)
        for slot, action in zip(late, actions, strict=True):
            slot.last = action
            slot.tick += 1
        return actions

    def _must_plan(self, slot: Slot) -> bool:
        return _late(slot).tick % self._period == 0

    def _store(self, slot: Slot, chunk: ActionChunk) -> None:
        slot.pending.append(np.array(chunk, np.float32))  # oldest first
        if len(slot.pending) > 2:  # one that governs, one that is thought out
            slot.pending.popleft()

    def _take(self, slot: Slot) -> NDArray[np.float32]:
        row = _late(slot).tick % self._period  # ticks since the last look
        plan: NDArray[np.floating] | None = slot.pending[-1]
        if row < self.delay:
            plan = slot.pending[0] if len(slot.pending) > 1 else None
            row += self._period
        if plan is not None and row < len(plan):
            return plan[row].astype(np.float32)
        return self._stand(_late(slot))

    def _stand(self, slot: LateSlot) -> NDArray[np.float32]:
        if slot.last is None:
            raise ConfigError("The first tick of an episode comes without an observation.")
        interface = self.policy.spec.interface
        native = interface.action_mode == "native"
        steps = [native and not name.startswith("gripper") for name in interface.action]
        return np.where(steps, np.float32(0), slot.last)


def standing(interface: Interface, state: NDArray[np.float32]) -> NDArray[np.float32]:
    """The action that leaves an arm where it is.

    ``native`` actions are steps: none of them, and the gripper neither pushed open nor shut.
    ``ee`` actions are places: those that the state names.

    Args:
        interface: Of the env or the policy.
        state: What the env shows now, shape (S,).

    Returns:
        Shape (A,).

    Raises:
        ConfigError: If the state does not say where the arm is.
    """
    if interface.action_mode == "native":
        return np.zeros(len(interface.action), np.float32)
    missing = [name for name in interface.action if name not in interface.state]
    if missing:
        raise ConfigError(
            f"Nobody can stand still without knowing where: the state has no {', '.join(missing)}."
        )
    return np.array([state[interface.state.index(name)] for name in interface.action], np.float32)


def _late(slot: Slot) -> LateSlot:
    assert isinstance(slot, LateSlot)  # ``begin`` made it
    return slot
