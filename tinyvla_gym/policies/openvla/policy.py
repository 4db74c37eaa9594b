"""OpenVLA as a policy: one camera and a sentence in, one action out."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from tinyvla_gym.errors import CheckpointError, ConfigError
from tinyvla_gym.interface import ActionChunk, Interface, Observation
from tinyvla_gym.policies.hub import find_folder
from tinyvla_gym.policies.openvla.actions import ActionRange, to_normal
from tinyvla_gym.policies.openvla.model import OPENVLA_7B, OpenVLA, Sizes
from tinyvla_gym.policies.openvla.weights import renamed
from tinyvla_gym.policies.policy import PolicySpec
from tinyvla_gym.policies.tinyvla.foreign import TOGETHER
from tinyvla_gym.policies.tinyvla.released.weights import read_weights, weights_file
from tinyvla_gym.policies.tinyvla.strict import check_weights
from tinyvla_gym.policies.tinyvla.vocabulary import Vocabulary, read_vocabulary

STEMS = ("model", "pytorch_model")
PROMPT = "In: What action should the robot take to {}?\nOut:"
BEGIN, SPACE = 1, 29871
"""Llama's <s>, and the lone space that stood before every action in training."""


class OpenVLAPolicy:
    """Plans one action at a time, word by word; its plans do not vary."""

    def __init__(
        self,
        model: OpenVLA,
        sizes: Sizes,
        interface: Interface,
        actions: ActionRange,
        vocabulary: Vocabulary,
    ) -> None:
        """Joins a network with a robot.

        Args:
            model: The network; put into evaluation mode.
            sizes: What it was built from.
            interface: Of the env to drive; it has one camera.
            actions: What the model's numbers mean there.
            vocabulary: Splits the prompt.

        Raises:
            ConfigError: If the interface has several cameras.
        """
        if len(interface.cameras) != 1:
            raise ConfigError(f"OpenVLA sees one camera, the env has {len(interface.cameras)}.")
        self.model = model.eval()
        self._sizes = sizes
        self._actions = actions
        self._vocabulary = vocabulary
        self._spec = PolicySpec(name="openvla", interface=interface, horizon=1, execute=1)

    @property
    def spec(self) -> PolicySpec:
        """What it sees and does."""
        return self._spec

    def reset(self, *, seed: int | None = None) -> None:
        """Has nothing to forget."""

    def plan(self, observation: Observation) -> ActionChunk:
        """Plans one action; float32, shape (1, A)."""
        interface, device = self.spec.interface, self.model.body.device
        camera = interface.cameras[0].name
        picture = self._picture(np.asarray(observation[f"image_{camera}"]))
        prompt = torch.tensor([self._prompt(str(observation["instruction"]))])
        said = self.model.say(picture.to(device), prompt.to(device), len(interface.action))
        normal = to_normal(said.cpu().numpy(), self._sizes.words)  # (1, A)
        space = interface.action_space()
        return np.clip(self._actions.to_physical(normal), space.low, space.high)

    def plan_batch(
        self, observations: Sequence[Observation], *, noise: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """Plans for one env after the other, since prompts differ in length; shape (N, 1, A)."""
        return np.stack([self.plan(observation) for observation in observations])

    def _picture(self, image: NDArray[np.uint8]) -> torch.Tensor:
        """Stretches a picture to the model's square, shape (1, 3, S, S), in [0, 1]."""
        size = (self._sizes.side, self._sizes.side)
        square = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BICUBIC))
        return torch.from_numpy(square.copy()).permute(2, 0, 1)[None] / 255

    def _prompt(self, instruction: str) -> list[int]:
        words = self._vocabulary.encode(PROMPT.format(instruction.lower()))
        ids = [BEGIN, *words, *([SPACE] if words[-1] != SPACE else [])]
        # Without the vocabulary that the weights have learned, any id will do.
        return [number % self._sizes.words for number in ids]

    @classmethod
    def random(
        cls,
        interface: Interface,
        *,
        sizes: Sizes = OPENVLA_7B,
        seed: int = 0,
        dtype: torch.dtype = torch.float32,
    ) -> "OpenVLAPolicy":
        """Builds one that has learned nothing, to measure time and memory.

        Args:
            interface: Of the env to drive.
            sizes: Of the network; 7.5 billion weights unless told otherwise.
            seed: Of the weights.
            dtype: What weights are kept in and computed with.
        """
        torch.manual_seed(seed)
        actions = ActionRange.unit(len(interface.action))
        return cls(_built(sizes, dtype), sizes, interface, actions, read_vocabulary(""))

    @classmethod
    def from_pretrained(
        cls,
        where: Path | str,
        interface: Interface,
        *,
        statistics: str,
        sizes: Sizes = OPENVLA_7B,
        dtype: torch.dtype = torch.bfloat16,
    ) -> "OpenVLAPolicy":
        """Reads the authors' weights.

        Args:
            where: A folder, or a hub id: ``openvla/openvla-7b``.
            interface: Of the env to drive.
            statistics: The dataset whose robot that is, such as ``bridge_orig``.
            sizes: Of the network.
            dtype: What weights are kept in and computed with: 15 GB in bfloat16, twice that while
                they are read.

        Raises:
            CheckpointError: If a file or its statistics are missing or damaged, a weight is
                missing, unexpected or misshaped, or the hub does not give the folder.
            UnknownNameError: If the folder has no statistics of that dataset.
        """
        folder = find_folder(where)
        facts = _facts(folder)
        names = interface.action
        known = facts.get("norm_stats")
        if not isinstance(known, dict):
            raise CheckpointError(
                folder,
                "config.json has no norm_stats, which say what actions mean; fetch it again.",
            )
        actions = ActionRange.from_statistics(known, statistics, names)
        weights = renamed(read_weights(folder, *STEMS))
        model = _built(sizes, dtype)
        file = weights_file(folder, *STEMS) or folder
        check_weights(file, weights, model.state_dict(), remedy=TOGETHER)
        model.load_state_dict(weights)
        vocabulary = read_vocabulary(str(folder / "tokenizer.json"))
        return cls(model, sizes, interface, actions, vocabulary)


def _built(sizes: Sizes, dtype: torch.dtype) -> OpenVLA:
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)  # at once: the weights may not fit in float32
    try:
        return OpenVLA(sizes)
    finally:
        torch.set_default_dtype(before)


def _facts(folder: Path) -> dict[str, Any]:
    try:
        return dict(json.loads((folder / "config.json").read_text()))
    except (OSError, TypeError, ValueError) as error:
        raise CheckpointError(
            folder, f"config.json is missing or damaged: {error}; fetch it again."
        ) from error
