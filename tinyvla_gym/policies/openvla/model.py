r"""OpenVLA's network on transformers' own classes: two towers, a projector, a Llama body.

    picture -> DINOv2 -> patches --+
           \-> SigLIP -> patches --+-> projector -> between <s> and the prompt -> Llama -> words

Shapes: B batch, S side of the picture [px], P patches, V width of both towers, C of the body,
T tokens, A action entries.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from transformers import (
    Dinov2WithRegistersConfig,
    Dinov2WithRegistersModel,
    LlamaConfig,
    LlamaForCausalLM,
    SiglipVisionConfig,
    SiglipVisionModel,
)

from tinyvla_gym.errors import ConfigError

COLOURS = (  # mean and deviation that each tower subtracts and divides by, DINOv2's in bfloat16
    ((0.484375, 0.455078125, 0.40625), (0.228515625, 0.2236328125, 0.224609375)),
    ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
)


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """What the three parts are built from.

    Attributes:
        dinov2: Keyword arguments of ``Dinov2WithRegistersConfig``.
        siglip: Of ``SiglipVisionConfig``; both towers read the same patches.
        llama: Of ``LlamaConfig``; its vocabulary is padded.
        words: Ids that the vocabulary has without padding; the last 256 are actions.
    """

    dinov2: Mapping[str, Any]
    siglip: Mapping[str, Any]
    llama: Mapping[str, Any]
    words: int

    def __post_init__(self) -> None:
        grids = [(facts["image_size"], facts["patch_size"]) for facts in (self.dinov2, self.siglip)]
        if grids[0] != grids[1]:
            raise ConfigError(f"The towers read (side, patch) {grids[0]} and {grids[1]} px.")

    @property
    def side(self) -> int:
        """S."""
        return self.dinov2["image_size"]


_GRID = {"image_size": 224, "patch_size": 14}
OPENVLA_7B = Sizes(
    dinov2={**_GRID, "hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16},
    siglip={
        **_GRID,
        "hidden_size": 1152,
        "intermediate_size": 4304,
        "num_hidden_layers": 27,
        "num_attention_heads": 16,
        "hidden_act": "gelu",  # exact, as in the version of timm that it was trained with
    },
    llama={
        "vocab_size": 32064,
        "hidden_size": 4096,
        "intermediate_size": 11008,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "max_position_embeddings": 2048,
        "rms_norm_eps": 1e-6,
        "pad_token_id": None,
    },
    words=32_000,
)


class OpenVLA(nn.Module):
    """Says A words, each the likeliest after all before."""

    def __init__(self, sizes: Sizes) -> None:
        """Builds the network with fresh weights.

        Args:
            sizes: Of its parts.
        """
        super().__init__()
        self.dinov2 = Dinov2WithRegistersModel(Dinov2WithRegistersConfig(**sizes.dinov2))
        # Neither reads what lies above the patches of the last block but one.
        siglip = SiglipVisionConfig(**sizes.siglip, vision_use_head=False)
        self.siglip = SiglipVisionModel(siglip)
        self.body = LlamaForCausalLM(LlamaConfig(**sizes.llama))
        seen = sizes.dinov2["hidden_size"] + sizes.siglip["hidden_size"]
        width = sizes.llama["hidden_size"]
        self.projector = nn.Sequential(
            nn.Linear(seen, 4 * seen),
            nn.GELU(),
            nn.Linear(4 * seen, width),
            nn.GELU(),
            nn.Linear(width, width),
        )

    def look(self, picture: Tensor) -> Tensor:
        """Maps pictures in [0, 1], (B, 3, S, S), to body embeddings of patches, (B, P, C)."""
        kind = cast(nn.Linear, self.projector[0]).weight
        picture = picture.to(kind)
        seen = []
        for tower, (mean, std) in zip((self.dinov2, self.siglip), COLOURS, strict=True):
            shift, scale = (torch.tensor(colour).to(kind)[:, None, None] for colour in (mean, std))
            hidden = tower.embeddings((picture - shift) / scale)
            blocks = tower.encoder.layer if tower is self.dinov2 else tower.encoder.layers
            for block in cast(nn.ModuleList, blocks)[:-1]:
                hidden = block(hidden, attention_mask=None)
            seen.append(hidden)
        patches = seen[1].shape[1]  # SigLIP has nothing but patches
        return self.projector(torch.cat([seen[0][:, -patches:], seen[1]], dim=-1))

    @torch.no_grad()
    def say(self, picture: Tensor, prompt: Tensor, count: int) -> Tensor:
        """Says words about pictures.

        Args:
            picture: In [0, 1], (B, 3, S, S).
            prompt: Word ids, the first <s>, shape (B, T); no padding.
            count: How many words, A.

        Returns:
            Their ids, shape (B, A).
        """
        text = self.body.get_input_embeddings()(prompt)  # (B, T, C)
        tokens = torch.cat([text[:, :1], self.look(picture), text[:, 1:]], dim=1)
        answer = self.body(inputs_embeds=tokens, use_cache=True, logits_to_keep=1)
        said = [answer.logits[:, -1].argmax(-1)]
        while len(said) < count:
            answer = self.body(
                input_ids=said[-1][:, None], past_key_values=answer.past_key_values, use_cache=True
            )
            said.append(answer.logits[:, -1].argmax(-1))
        return torch.stack(said, dim=1)
