"""A trained TinyVLA as a policy: observations in, chunks in physical units out."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tinyvla_gym.errors import CheckpointError, ConfigError
from tinyvla_gym.interface import ActionChunk, Observation
from tinyvla_gym.policies.checkpoint import read_folder, write_folder
from tinyvla_gym.policies.normalize import Normalizer
from tinyvla_gym.policies.policy import PolicySpec
from tinyvla_gym.policies.tinyvla.config import TinyVLAConfig, build
from tinyvla_gym.policies.tinyvla.model import Inputs, TinyVLA

KIND = "tinyvla"


class TinyVLAPolicy:
    """Plans chunks from pictures, a sentence and the state."""

    def __init__(
        self,
        model: TinyVLA,
        config: TinyVLAConfig,
        spec: PolicySpec,
        normalizer: Normalizer,
        *,
        facts: dict[str, Any] | None = None,
    ) -> None:
        """Joins a model with what it was trained under.

        Args:
            model: The weights; put into evaluation mode.
            config: What ``model`` was built from.
            spec: The promises.
            normalizer: The training data's statistics.
            facts: What else the checkpoint should say: data, seeds, versions, metrics.

        Raises:
            ConfigError: If the spec promises other chunks than the model makes.
        """
        check_chunks(config, spec)
        self.model = model.eval()
        self.config = config
        self.facts = dict(facts or {})
        self._spec = spec
        self._normalizer = normalizer
        self._rng = np.random.default_rng()

    @property
    def spec(self) -> PolicySpec:
        """What the policy was trained under."""
        return self._spec

    @property
    def normalizer(self) -> Normalizer:
        """The training data's statistics."""
        return self._normalizer

    @property
    def parameters(self) -> int:
        """Number of weights."""
        return sum(weight.numel() for weight in self.model.parameters())

    def reset(self, *, seed: int | None = None) -> None:
        """Seeds the noise of the coming plans; None goes on drawing."""
        if seed is not None:
            self._rng = np.random.default_rng(seed)

    def plan(self, observation: Observation) -> ActionChunk:
        """Plans from one observation; float32, shape (K, A)."""
        return self.plan_batch([observation])[0]

    @torch.no_grad()
    def plan_batch(
        self, observations: Sequence[Observation], *, noise: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """Plans for N envs at once.

        Args:
            observations: One per env.
            noise: Standard normal, shape (N, K, A); equal noise gives equal plans. None draws.

        Returns:
            Actions in the units of ``spec.interface``, float32, shape (N, K, A).
        """
        if noise is None:
            shape = (len(observations), self.spec.horizon, len(self.spec.interface.action))
            noise = self._rng.standard_normal(shape, np.float32)
        condition = self.model.encode(self.inputs(observations))
        drawn = torch.from_numpy(np.array(noise, np.float32)).to(condition.device)
        normal = self.model.sample(condition, drawn)
        actions = self._normalizer.to_physical(normal.cpu().numpy())
        space = self.spec.interface.action_space()
        return np.clip(actions, space.low, space.high)

    def compile(self, **settings: Any) -> None:
        """Lets torch compile backbone and head; the first plan of each batch size then takes long.

        Args:
            settings: As for ``torch.compile``.
        """
        for part in (self.model.backbone, *self.model.head.children()):
            part.compile(**settings)

    def inputs(self, observations: Sequence[Observation]) -> Inputs:
        """Turns observations into a batch on the model's device."""
        device = next(self.model.parameters()).device
        images = [
            torch.from_numpy(np.stack([seen[f"image_{camera.name}"] for seen in observations]))
            for camera in self.spec.interface.cameras
        ]
        words = self.model.tokenize([seen["instruction"] for seen in observations])
        state = self._normalizer.state(np.stack([seen["state"] for seen in observations]))
        return Inputs(
            images=[image.to(device) for image in images],
            words=words.to(device),
            state=torch.from_numpy(state).to(device),
        )

    def save_pretrained(self, folder: Path | str, *, half: bool = False) -> None:
        """Writes a folder that ``from_pretrained`` reads.

        Args:
            folder: Where to; created, or replaced if it holds a checkpoint.
            half: Rounds the weights to float16, half the size.

        Raises:
            OutputError: If the folder cannot be written.
        """
        weights = {
            name: (tensor.half() if half and tensor.is_floating_point() else tensor)
            .contiguous()
            .cpu()
            for name, tensor in self.model.state_dict().items()
        }
        config = {
            "kind": KIND,
            "model": self.config.to_dict(),
            "spec": self.spec.to_dict(),
            "normalizer": self._normalizer.to_dict(),
            "facts": self.facts,
        }
        write_folder(Path(folder), config, weights)

    @classmethod
    def from_pretrained(cls, folder: Path | str) -> "TinyVLAPolicy":
        """Reads a checkpoint folder; weights become float32.

        Raises:
            CheckpointError: If a file is missing, cut short, or does not fit the others.
        """
        folder = Path(folder)
        written, weights = read_folder(folder, kind=KIND)
        try:
            config = TinyVLAConfig.from_dict(written["model"])
            spec = PolicySpec.from_dict(written["spec"])
            normalizer = Normalizer.from_dict(
                written["normalizer"],
                state_names=spec.interface.state,
                action_names=spec.interface.action,
            )
            check_chunks(config, spec)
            model = build(config, spec.interface)
            facts = dict(written["facts"])
        except KeyError as error:
            raise CheckpointError(folder, f"config.json has no {error}.") from error
        except (ArithmeticError, AttributeError, RuntimeError, TypeError, ValueError) as error:
            raise CheckpointError(folder, f"config.json does not fit: {error}") from error
        _check_weights(folder, weights, model.state_dict())
        model.load_state_dict(weights)  # half precision becomes float32
        return cls(model, config, spec, normalizer, facts=facts)


def check_chunks(config: TinyVLAConfig, spec: PolicySpec) -> None:
    """Refuses a spec that promises other chunks than the model makes.

    Raises:
        ConfigError: It names both shapes.
    """
    made = (config.horizon, len(spec.interface.action))
    noise = config.noise_shape(spec.interface)
    if spec.horizon != made[0]:
        promised = (spec.horizon, made[1])
        raise ConfigError(f"The model makes chunks {made}, the spec's horizon says {promised}.")
    if spec.noise_shape != noise:
        raise ConfigError(
            f"The model makes chunks {made} from noise {noise}, "
            f"the spec's noise_shape says {spec.noise_shape}."
        )


def _check_weights(folder: Path, have: dict[str, Tensor], want: dict[str, Tensor]) -> None:
    misshaped = [
        f"{name} {tuple(have[name].shape)} instead of {tuple(tensor.shape)}"
        for name, tensor in want.items()
        if name in have and have[name].shape != tensor.shape
    ]
    problems = {
        "missing": sorted(want.keys() - have.keys()),
        "unexpected": sorted(have.keys() - want.keys()),
        "misshaped": misshaped,
    }
    if any(problems.values()):
        listed = (f"{what} weights: {_shown(names)}" for what, names in problems.items())
        raise CheckpointError(folder, "; ".join(listed) + ".")


def _shown(names: Sequence[str], most: int = 5) -> str:
    more = [f"{len(names) - most} more"] if len(names) > most else []
    return ", ".join([*names[:most], *more]) or "none"
