"""A diffusion head over action chunks; the noise schedules are diffusers'.

Shapes: B batch, K actions in a chunk, A action entries, D condition width.
"""

import inspect
import warnings
import zlib
from collections.abc import Mapping
from copy import deepcopy
from typing import TYPE_CHECKING, Any, Self

import torch
from diffusers import schedulers
from torch import Tensor, nn
from torch.nn import functional as F

from tinyvla_gym.errors import ConfigError, UnknownNameError
from tinyvla_gym.policies.tinyvla.denoiser import ConditionalUnet1D
from tinyvla_gym.policies.tinyvla.heads.dice import Dice
from tinyvla_gym.policies.tinyvla.heads.head import Head

if TYPE_CHECKING:
    from tinyvla_gym.policies.tinyvla.config import TinyVLAConfig

SCHEDULE = {  # TinyVLA's settings; a scheduler takes those that it knows
    "beta_schedule": "squaredcos_cap_v2",
    "prediction_type": "epsilon",
    "clip_sample": True,
    "set_alpha_to_one": True,
    "steps_offset": 0,
}


STATELESS = ("DDIMScheduler", "DDPMScheduler")
"""Schedulers that remember nothing from one step to the next."""


class DiffusionHead(Head):
    """Predicts the noise in an action chunk, given what the backbone understood.

    Samples by ten steps of DDIM (Song et al., arXiv 2010.02502) unless told otherwise. Which
    scheduler samples does not change what is learned, so it may be changed after training.
    """

    multiple = 4

    def __init__(
        self,
        denoiser: nn.Module,
        *,
        train_steps: int = 100,
        sample_steps: int = 10,
        scheduler: str = "DDIMScheduler",
        scheduler_options: Mapping[str, Any] | None = None,
    ) -> None:
        """Builds the head.

        Args:
            denoiser: Maps (noisy chunk, level, condition) to noise of the chunk's shape.
            train_steps: Noise levels in training.
            sample_steps: Of these, how many sampling visits.
            scheduler: Name of one of diffusers' schedulers, such as ``DDPMScheduler``.
            scheduler_options: Its keyword arguments, where TinyVLA's are not wanted.

        Raises:
            UnknownNameError: If there is no scheduler of that name.
            ConfigError: If it does not know an option, or is not for diffusion.
        """
        super().__init__()
        self.denoiser = denoiser
        self.sample_steps = sample_steps
        self.schedule = make_scheduler(scheduler, train_steps, scheduler_options or {})
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # some are older than numpy 2
            self.schedule.set_timesteps(sample_steps)
        self.levels: list[float] = self.schedule.timesteps.tolist()
        takes = inspect.signature(self.schedule.step).parameters
        self.draws_noise = "generator" in takes and scheduler != "DDIMScheduler"  # its eta is 0
        alphas: Tensor = self.schedule.alphas_cumprod
        self.register_buffer("signal", alphas.sqrt(), persistent=False)
        self.register_buffer("spread", (1 - alphas).sqrt(), persistent=False)

    signal: Tensor
    spread: Tensor

    @classmethod
    def from_config(cls, config: "TinyVLAConfig", action_size: int, condition_size: int) -> Self:
        """Builds the head and its U-Net."""
        return cls(
            ConditionalUnet1D.from_config(config, action_size, condition_size),
            train_steps=config.train_steps,
            sample_steps=config.sample_steps,
            **config.head_options,
        )

    def errors(
        self,
        condition: Tensor,
        actions: Tensor,
        is_pad: Tensor,
        dice: Dice,
    ) -> Tensor:
        """Squared error of what is predicted: the noise, unless the scheduler says otherwise."""
        level = dice.integers(len(self.signal), len(actions))
        noise = dice.normal(actions.shape)
        level, noise = level.to(actions.device), noise.to(actions.device)
        signal, spread = (each[level][:, None, None] for each in (self.signal, self.spread))
        wanted = {
            "epsilon": noise,
            "sample": actions,
            "v_prediction": signal * noise - spread * actions,
        }[self.schedule.config["prediction_type"]]
        predicted = self.denoiser(signal * actions + spread * noise, level, condition)
        return F.mse_loss(predicted, wanted, reduction="none").mean(-1)  # (B, K)

    def chunks(self, condition: Tensor, noise: Tensor) -> Tensor:
        """Removes the noise step by step."""
        schedule, steps = self.schedule, self.levels
        if type(schedule).__name__ not in STATELESS:
            schedule = deepcopy(schedule)  # each plan begins with nothing to remember
            steps = schedule.timesteps  # and wants its own tensors back
        chunk = noise * schedule.init_noise_sigma
        more: dict[str, Any] = {"generator": _generators(noise)} if self.draws_noise else {}
        for step, number in zip(steps, self.levels, strict=True):
            level = torch.full((chunk.shape[0],), number, device=chunk.device)
            predicted = self.denoiser(schedule.scale_model_input(chunk, step), level, condition)
            chunk = schedule.step(predicted, step, chunk, return_dict=False, **more)[0]
        return chunk


def make_scheduler(name: str, train_steps: int, options: Mapping[str, Any]) -> Any:
    """Builds one of diffusers' schedulers with TinyVLA's settings where it knows them.

    Raises:
        UnknownNameError: If there is no scheduler of that name.
        ConfigError: If it does not know an option, or is not for diffusion.
    """
    known = [entry for entry in dir(schedulers) if entry.endswith("Scheduler")]
    if name not in known:
        raise UnknownNameError("scheduler", name, known)
    try:
        kind = getattr(schedulers, name)
        takes = inspect.signature(kind).parameters
        settings = {key: value for key, value in SCHEDULE.items() if key in takes}
        scheduler = kind(num_train_timesteps=train_steps, **{**settings, **options})
    except (ImportError, NotImplementedError, TypeError, ValueError) as error:
        raise ConfigError(f"{name} cannot be made with {dict(options)}: {error}") from error
    if not hasattr(scheduler, "alphas_cumprod"):
        raise ConfigError(f"{name} has no noise levels that a diffusion head could be trained on.")
    return scheduler


def _generators(noise: Tensor) -> list[torch.Generator]:
    """For schedulers that draw while they sample: one generator per row, seeded by its noise."""
    rows = noise.detach().cpu().contiguous().numpy()
    return [torch.Generator().manual_seed(zlib.crc32(row.tobytes())) for row in rows]
