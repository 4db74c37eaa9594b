"""A trained TinyVLA as a policy: observations in, chunks in physical units out."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from tinyvla_gym.errors import InterfaceMismatchError
from tinyvla_gym.interface import ActionChunk, Observation
from tinyvla_gym.policies.hub import find_folder, upload
from tinyvla_gym.policies.normalize import Normalizer
from tinyvla_gym.policies.policy import PolicySpec
from tinyvla_gym.policies.tinyvla import saving
from tinyvla_gym.policies.tinyvla.card import card
from tinyvla_gym.policies.tinyvla.config import TinyVLAConfig, check_chunks
from tinyvla_gym.policies.tinyvla.model import Inputs, TinyVLA


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
        self._check_pictures(observations)
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

    def _check_pictures(self, observations: Sequence[Observation]) -> None:
        """Nothing is resized silently: a picture has the size that the spec says."""
        problems = {
            f"camera {camera.name}: {camera.height} x {camera.width} px against "
            f"{' x '.join(map(str, np.shape(seen[f'image_{camera.name}'])[:2]))} px"
            for camera in self.spec.interface.cameras
            for seen in observations
            if np.shape(seen[f"image_{camera.name}"]) != (camera.height, camera.width, 3)
        }
        if problems:
            raise InterfaceMismatchError(self.spec.name, "this env", sorted(problems))

    def save_pretrained(
        self, folder: Path | str, *, half: bool = False, base: Path | str | None = None
    ) -> None:
        """Writes a folder that ``from_pretrained`` reads.

        Adapters are written beside the weights that they adapt; ``lora.merge_lora`` first writes
        their sum.

        Args:
            folder: Where to; created, or replaced if it holds a checkpoint.
            half: Rounds the weights to float16, half the size.
            base: A backbone's folder or hub id: what the policy has in common with it is not
                written again, but read from there.

        Raises:
            OutputError: If the folder cannot be written.
            CheckpointError: If there is no such base.
        """
        saving.save(self, Path(folder), half=half, base=base)

    def push_to_hub(
        self, hub_id: str, *, half: bool = True, private: bool = False, facts: str = ""
    ) -> str:
        """Sends the policy to the Hugging Face Hub, with a card that says what it is.

        Args:
            hub_id: ``owner/name``; created if there is none.
            half: Rounds the weights to float16, half the size.
            private: Hides a repository that is created.
            facts: What the card should say beside what the policy knows of itself, in Markdown.

        Returns:
            Where it can be seen.

        Raises:
            OutputError: If the hub cannot be reached or does not take it.
        """
        words = card(self, hub_id, facts)
        return upload(
            hub_id,
            lambda folder: saving.save(self, folder, half=half, words=words),
            private=private,
        )

    @classmethod
    def from_pretrained(
        cls, where: Path | str, *, base: Path | str | None = None
    ) -> "TinyVLAPolicy":
        """Reads a checkpoint from a folder or the Hugging Face Hub; weights become float32.

        Args:
            where: A folder, or a hub id ``owner/name``.
            base: Where the backbone lies now that the checkpoint was saved without.

        Raises:
            CheckpointError: If a file is missing, cut short, or does not fit the others, or the
                hub does not give it.
        """
        return cls(**saving.load(find_folder(where), base))
