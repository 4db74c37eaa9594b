"""The eyes of LLaVA-Pythia: a CLIP or SigLIP tower, and the projector into the body's width.

Shapes: B batch, S side of the picture [px], P patches, V width of the tower, C of the body.
"""

import re
from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import CLIPVisionConfig, CLIPVisionModel, SiglipVisionConfig, SiglipVisionModel

from tinyvla_gym.errors import ConfigError, UnknownNameError

TOWERS = {
    "clip_vision_model": (CLIPVisionConfig, CLIPVisionModel),
    "siglip_vision_model": (SiglipVisionConfig, SiglipVisionModel),
}
QUICK = 1.702


class Eyes(nn.Module):
    """Maps pictures to the patch features of one of the tower's layers.

    Attributes:
        width: Features per patch, V.
        side: S.
        patches: P.
    """

    def __init__(self, facts: Mapping[str, Any], *, layer: int) -> None:
        """Builds the tower.

        Args:
            facts: A vision config of transformers as a dictionary; ``model_type`` says CLIP or
                SigLIP.
            layer: Which hidden state to read; 0 is the embeddings', -1 the last block's, and -2
                is the released choice.

        Raises:
            UnknownNameError: If the tower is of another kind.
            ConfigError: If it has no such layer.
        """
        super().__init__()
        given = dict(facts)
        kind = str(given.pop("model_type", None))
        if kind not in TOWERS:
            raise UnknownNameError("vision tower", kind, TOWERS)
        make_config, make_tower = TOWERS[kind]
        config = make_config(**given)
        states = config.num_hidden_layers + 1
        if not -states <= layer < states:
            raise ConfigError(f"layer={layer} is none of the tower's {states} hidden states.")
        self.tower = make_tower(config)  # pyright: ignore[reportArgumentType]
        if config.hidden_act == "quick_gelu":
            for block in self.tower.encoder.layers:
                block.mlp.activation_fn = QuickGelu()
        self.width = config.hidden_size
        self.side = cast(int, config.image_size)
        self.patches = (self.side // cast(int, config.patch_size)) ** 2
        self._blocks = layer % states

    def forward(self, pixels: Tensor) -> Tensor:
        """Maps (B, 3, S, S) to (B, P, V); blocks above the chosen layer are not run."""
        hidden = self.tower.embeddings(pixels)  # (B, P, V), CLIP's with one more in front
        if isinstance(self.tower, CLIPVisionModel):
            hidden = self.tower.pre_layrnorm(hidden)
        for block in self.tower.encoder.layers[: self._blocks]:
            hidden = block(hidden, attention_mask=None)
        return hidden[:, -self.patches :]  # without CLIP's class token


class QuickGelu(nn.Module):
    """CLIP's activation, ``x * sigmoid(1.702 x)``, with fewer tensors than transformers makes."""

    def forward(self, x: Tensor) -> Tensor:
        """Maps (..., V) to the same shape; overwrites it where nothing is differentiated."""
        if torch.is_grad_enabled():
            return F.silu(QUICK * x) / QUICK
        return F.silu(x.mul_(QUICK), inplace=True).div_(QUICK)


def projector(kind: str, inputs: int, outputs: int) -> nn.Sequential:
    """Builds what maps patch features (..., V) to the body's embeddings (..., C).

    Args:
        kind: ``linear``, ``identity``, or ``mlp<N>x_gelu`` with N linear layers.
        inputs: V.
        outputs: C.

    Raises:
        ConfigError: If the kind is another, or ``identity`` would have to change the width.
    """
    if kind == "identity":
        if inputs != outputs:
            raise ConfigError(f"An identity projector cannot map {inputs} features to {outputs}.")
        return nn.Sequential()
    mlp = re.fullmatch(r"mlp([1-9]\d*)x_gelu", kind)
    if mlp is None and kind != "linear":
        raise ConfigError(f"The projector is identity, linear or mlp<N>x_gelu, got {kind!r}.")
    layers: list[nn.Module] = [nn.Linear(inputs, outputs)]
    for _ in range(int(mlp[1]) - 1 if mlp else 0):
        layers += [nn.GELU(), nn.Linear(outputs, outputs)]
    return nn.Sequential(*layers)
