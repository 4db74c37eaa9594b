"""A diffusion head over action chunks; the noise schedule is diffusers'.

Shapes: B batch, M noise draws per frame, K actions, A action entries, D condition width.
"""

import torch
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from torch import Tensor, nn
from torch.nn import functional as F


class DiffusionHead(nn.Module):
    """Predicts the noise in an action chunk, given what the backbone understood.

    DDIM (Song et al., arXiv 2010.02502) with TinyVLA's settings: squared-cosine schedule,
    epsilon prediction, samples clipped to [-1, 1]. Everything runs in float32: in half
    precision the first noise levels are exactly zero and the last step is NaN.
    """

    def __init__(
        self, denoiser: nn.Module, *, train_steps: int = 100, sample_steps: int = 10
    ) -> None:
        """Builds the head.

        Args:
            denoiser: Maps (noisy chunk, level, condition) to noise of the chunk's shape.
            train_steps: Noise levels in training.
            sample_steps: Of these, how many sampling visits.
        """
        super().__init__()
        self.denoiser = denoiser
        self.sample_steps = sample_steps
        self.schedule = DDIMScheduler(
            num_train_timesteps=train_steps,
            beta_schedule="squaredcos_cap_v2",
            prediction_type="epsilon",
            clip_sample=True,
            set_alpha_to_one=True,
            steps_offset=0,
        )
        self.schedule.set_timesteps(sample_steps)

    def loss(
        self,
        condition: Tensor,
        actions: Tensor,
        is_pad: Tensor,
        *,
        draws: int = 1,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Mean squared error of the predicted noise over the actions that count.

        Args:
            condition: What the backbone understood, shape (B, D).
            actions: Normalised chunks, shape (B, K, A).
            is_pad: True past the end of the episode, shape (B, K).
            draws: Noise draws per frame, M; the encoder's work is shared among them.
            generator: Draws noise and levels; torch's global one when None.

        Returns:
            A scalar. Padding changes neither its value nor its scale.
        """
        condition = condition.repeat_interleave(draws, dim=0)  # (B M, D)
        actions = actions.repeat_interleave(draws, dim=0)  # (B M, K, A)
        counts = ~is_pad.repeat_interleave(draws, dim=0)  # (B M, K)
        levels = self.schedule.config["num_train_timesteps"]
        level = torch.randint(levels, (len(actions),), generator=generator)
        noise = torch.randn(actions.shape, generator=generator)
        level, noise = level.to(actions.device), noise.to(actions.device)
        noisy = self.schedule.add_noise(actions, noise, level)  # pyright: ignore[reportArgumentType]
        error = F.mse_loss(self.denoiser(noisy, level, condition), noise, reduction="none")
        return (error.mean(-1) * counts).sum() / counts.sum().clamp(min=1)

    @torch.no_grad()
    def sample(self, condition: Tensor, noise: Tensor) -> Tensor:
        """Turns noise into chunks.

        Args:
            condition: Shape (B, D).
            noise: Standard normal, shape (B, K, A). Equal noise gives equal chunks.

        Returns:
            Normalised chunks in [-1, 1], shape (B, K, A).
        """
        chunk = noise.float()
        for step in self.schedule.timesteps:
            level = step.expand(len(chunk)).to(chunk.device)
            predicted = self.denoiser(chunk, level, condition)
            (chunk,) = self.schedule.step(predicted, int(step), chunk, return_dict=False)[:1]
        return chunk
