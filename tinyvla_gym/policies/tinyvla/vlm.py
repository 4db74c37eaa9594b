"""Any compact image-text-to-text model of transformers as a backbone.

The model's own forward pass is run, so that its masks and positions are its own. What differs
from one family to the next is in ``vlm_families``.

Shapes: B batch, S side of the picture [px], L pieces of the prompt, T tokens, C features.
"""

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, PretrainedConfig
from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES

from tinyvla_gym.errors import ConfigError, InstructionError, UnknownNameError
from tinyvla_gym.policies.tinyvla.backbone import Tokens
from tinyvla_gym.policies.tinyvla.pictures import PicturePath, Pictures
from tinyvla_gym.policies.tinyvla.prompts import Prompts
from tinyvla_gym.policies.tinyvla.trimming import trimmed
from tinyvla_gym.policies.tinyvla.vlm_families import check_family, handed_over, kinds, marks
from tinyvla_gym.policies.tinyvla.vocabulary import Vocabulary, read_vocabulary

HALF = (0.5, 0.5, 0.5)

PROJECTORS = ("connector", "merger", "multi_modal_projector")
"""What the families call the part between eyes and language model."""


class VlmBackbone(nn.Module):
    """A vision-language model of transformers, cut to as many layers as wanted."""

    def __init__(
        self,
        cameras: int,
        *,
        vlm: Mapping[str, Any],
        side: int,
        layers: int | None = None,
        hidden: int = -1,
        picture_path: PicturePath = "plain",
        crop_frac: float = 1.0,
        mean: Sequence[float] = HALF,
        std: Sequence[float] = HALF,
        before: str = "",
        after: str = "\n{instruction}",
        tokenizer: str = "",
    ) -> None:
        """Builds the backbone with random weights.

        Args:
            cameras: Number of cameras.
            vlm: The model's config as a dictionary, ``model_type`` among it.
            side: S, what the model's eyes read.
            layers: Language layers to keep; the others are not built. None keeps all.
            hidden: Which hidden state is the tokens' features: 0 is the embeddings', -1 the last
                kept layer's, after the final norm.
            picture_path: How pictures are prepared, see ``Pictures``.
            crop_frac: Share of a picture that the released path keeps.
            mean: Of each colour.
            std: Of each colour.
            before: What the prompt says before the pictures.
            after: And behind them; ``{instruction}`` is the sentence.
            tokenizer: The vocabulary's file; bytes when empty.

        Raises:
            UnknownNameError: If transformers has no such image-text-to-text model.
            ConfigError: If the parts do not fit each other, or the family needs more than pictures.
            CheckpointError: If the vocabulary's file is missing or damaged.
        """
        super().__init__()
        config = _config(vlm, layers)
        text = config.get_text_config()
        if not -text.num_hidden_layers - 1 <= hidden <= text.num_hidden_layers:
            raise ConfigError(
                f"hidden={hidden} is none of {text.num_hidden_layers + 1} hidden states."
            )
        if "{instruction}" not in after:
            raise ConfigError(f"The prompt {after!r} has no place for the {{instruction}}.")
        self.vlm: Any = AutoModel.from_config(config)
        check_family(self.vlm)
        self.width = int(text.hidden_size)
        self.pictures = Pictures(
            side=side, path=picture_path, crop_frac=crop_frac, mean=mean, std=std
        )
        vocabulary = read_vocabulary(tokenizer)
        if vocabulary.size > text.vocab_size:
            raise ConfigError(
                f"The vocabulary has {vocabulary.size} pieces, the model embeds {text.vocab_size}."
            )
        self._places = int(getattr(text, "max_position_embeddings", 1 << 20))
        self._prompts = Prompts(
            vocabulary,
            before=before,
            after=lambda instruction: after.replace("{instruction}", instruction),
            longest=self._places,
        )
        self._cameras = cameras
        self._hidden = hidden
        self._accepts = frozenset(inspect.signature(self.vlm.forward).parameters)
        self._per_picture = 0  # not known yet

    @property
    def projector(self) -> nn.Module:
        """The part between eyes and language model, which is trained in full beside adapters."""
        for name, part in self.vlm.named_modules():
            if name.rpartition(".")[2] in PROJECTORS:
                return part
        raise AttributeError(f"{type(self.vlm).__name__} has no part of its own between them.")

    def adaptable(self) -> list[str]:
        """Names the layers that adapters go on: the linear ones outside the projector."""
        bridge = set(self.projector.modules()) if hasattr(self, "projector") else set()
        return [
            name
            for name, part in self.named_modules()
            if isinstance(part, nn.Linear) and part not in bridge
        ]

    @property
    def vocabulary(self) -> Vocabulary:
        """What splits sentences into pieces."""
        return self._prompts.vocabulary

    def tokenize(self, sentences: Sequence[str]) -> Tensor:
        """Turns sentences into prompts, int64, (B, L)."""
        return torch.from_numpy(self._prompts(sentences))

    def forward(self, images: Sequence[Tensor], words: Tensor) -> Tokens:
        """Looks and reads; see ``Backbone``."""
        pixels = torch.stack([self.pictures(image) for image in images], dim=1)
        pixels = pixels.to(self.vlm.dtype).contiguous()  # (B, cameras, 3, S, S)
        given = handed_over(pixels, self.vlm.config, self._accepts)
        ids, mask = self._spliced(words, self._tokens_per_picture(pixels))
        given |= kinds(ids, self.vlm.config, self._accepts)
        seen = self.vlm(
            input_ids=ids,
            attention_mask=mask.long(),
            output_hidden_states=self._hidden != -1,
            use_cache=False,
            **given,
        )
        features = (
            seen.last_hidden_state if self._hidden == -1 else seen.hidden_states[self._hidden]
        )
        return Tokens(features=features.float(), mask=mask)

    @torch.no_grad()
    def _tokens_per_picture(self, pixels: Tensor) -> int:
        """Asks the model once what it makes of one picture."""
        if not self._per_picture:
            one = handed_over(pixels[:1, :1], self.vlm.config, self._accepts)
            features = self.vlm.get_image_features(**one)
            features = getattr(features, "pooler_output", features)
            first = features[0]
            self._per_picture = first.numel() // first.shape[-1]
        return self._per_picture

    def _spliced(self, words: Tensor, per_picture: int) -> tuple[Tensor, Tensor]:
        """Puts the pictures' marks in their place; ids and mask (B, T)."""
        words, counts, place = trimmed(words)
        pictures = words.new_tensor(marks(self.vlm.config, per_picture) * self._cameras)
        pictures = pictures.expand(len(words), -1)
        if words.shape[1] - 1 + pictures.shape[1] > self._places:
            raise InstructionError(
                f"{self._cameras} cameras make {pictures.shape[1]} tokens and the longest prompt "
                f"{words.shape[1] - 1} more; the model has places for {self._places}. Use fewer "
                "cameras, smaller pictures or a shorter sentence."
            )
        seen = counts.new_ones(pictures.shape)
        text = words.clamp(min=0)  # a padded place may hold any piece
        return (
            torch.cat([text[:, :place], pictures, text[:, place + 1 :]], dim=1),
            torch.cat([counts[:, :place], seen, counts[:, place + 1 :]], dim=1),
        )


def _config(facts: Mapping[str, Any], layers: int | None) -> PretrainedConfig:
    given = dict(facts)
    kind = str(given.pop("model_type", None))
    if kind not in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES:
        raise UnknownNameError(
            "image-text-to-text model", kind, MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES
        )
    config = AutoConfig.for_model(kind, **given)
    text = config.get_text_config()
    if layers is not None:
        if not 1 <= layers <= text.num_hidden_layers:
            raise ConfigError(f"layers={layers} must be from 1 to {text.num_hidden_layers}.")
        text.num_hidden_layers = layers
        if getattr(text, "layer_types", None):
            text.layer_types = text.layer_types[:layers]
    return config
