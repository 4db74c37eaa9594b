"""What a head is: it learns chunks of actions for a condition, and makes chunks out of noise.

Shapes: B batch, M draws per frame, K actions in a chunk, A action entries, D condition width.
"""

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, ClassVar, Self

import torch
from torch import Tensor, nn

from tinyvla_gym.errors import ConfigError
from tinyvla_gym.policies.tinyvla.heads.dice import Dice

if TYPE_CHECKING:
    from tinyvla_gym.policies.tinyvla.config import TinyVLAConfig


class Head(nn.Module, ABC):
    """Learns by ``loss`` and plans by ``sample``, always in float32.

    A head writes ``from_config``, ``errors`` and ``chunks``; what all have in common is here.
    """

    multiple: ClassVar[int] = 1
    """K must be a multiple of this."""
    plans_vary: ClassVar[bool] = True
    """Whether a plan depends on its noise."""
    loss_varies: ClassVar[bool] = True
    """Whether the loss draws anything, so that several draws per frame teach more than one."""
    horizon: int | None = None
    """The only K that it takes; None if every multiple will do."""

    @classmethod
    @abstractmethod
    def from_config(cls, config: "TinyVLAConfig", action_size: int, condition_size: int) -> Self:
        """Builds the head; ``config.head_options`` are its keyword arguments."""

    @abstractmethod
    def errors(
        self,
        condition: Tensor,
        actions: Tensor,
        is_pad: Tensor,
        dice: Dice,
    ) -> Tensor:
        """How wrong each action is, shape (B, K); ``dice`` draws all that is random."""

    @abstractmethod
    def chunks(self, condition: Tensor, noise: Tensor) -> Tensor:
        """Chunks of any size, shape (B, K, A); arguments as in ``sample``."""

    def loss(
        self,
        condition: Tensor,
        actions: Tensor,
        is_pad: Tensor,
        *,
        draws: int = 1,
        generator: torch.Generator | None = None,
        part: int = 0,
        parts: int = 1,
    ) -> Tensor:
        """Mean error over the actions that count.

        Args:
            condition: What the backbone understood, shape (B, D).
            actions: Normalised chunks, shape (B, K, A).
            is_pad: True outside the episode, shape (B, K).
            draws: Draws per frame, M; the backbone's work is shared among them.
            generator: Draws all that is random, on the CPU; torch's global one when None.
            part: Which of a batch's equal parts these frames are, from 0: what is drawn is what
                the whole batch would have drawn for them.
            parts: How many parts there are.

        Returns:
            A scalar. Padding changes neither its value nor its scale.

        Raises:
            ConfigError: If the head cannot make chunks of K actions.
        """
        self.check_length(actions.shape[1])
        if self.loss_varies and draws > 1:
            condition = condition.repeat_interleave(draws, dim=0)  # (B M, D)
            actions = actions.repeat_interleave(draws, dim=0)  # (B M, K, A)
            is_pad = is_pad.repeat_interleave(draws, dim=0)  # (B M, K)
        dice = Dice(generator, part=part, parts=parts)
        with in_full_precision(condition.device):
            errors = self.errors(condition.float(), actions.float(), is_pad, dice)
            counts = (~is_pad).float()
            return (errors * counts).sum() / counts.sum().clamp(min=1)

    @torch.no_grad()
    def sample(self, condition: Tensor, noise: Tensor) -> Tensor:
        """Makes chunks.

        Args:
            condition: Shape (B, D).
            noise: Standard normal, shape (B, K, A). Equal noise gives equal chunks; a head
                whose plans do not vary only reads its shape.

        Returns:
            Normalised chunks in [-1, 1], shape (B, K, A).

        Raises:
            ConfigError: If the head cannot make chunks of K actions.
        """
        self.check_length(noise.shape[1])
        with in_full_precision(condition.device):
            return self.chunks(condition.float(), noise.float()).clamp(-1, 1)

    def check_length(self, length: int) -> None:
        """Refuses a chunk length that the head was not made for.

        Raises:
            ConfigError: It says which lengths fit.
        """
        if self.horizon is not None and length != self.horizon:
            name = type(self).__name__
            raise ConfigError(f"{name} makes chunks of {self.horizon} actions, got {length}.")
        check_multiple(type(self), length)


def check_multiple(head: type[Head], length: int) -> None:
    """Refuses a chunk length that no head of this kind can make.

    Raises:
        ConfigError: It says which lengths fit.
    """
    if length < 1 or length % head.multiple:
        why = ": its U-Net halves them twice" if head.multiple == 4 else ""
        raise ConfigError(
            f"horizon={length} must be a multiple of {head.multiple} for {head.__name__}{why}."
        )


def in_full_precision(device: torch.device) -> AbstractContextManager[object]:
    """Switches autocast off: in half precision the first noise levels are exactly zero."""
    if torch.is_autocast_enabled(device.type):
        return torch.autocast(device.type, enabled=False)
    return nullcontext()
