"""The names of OpenVLA's weights: theirs, with timm's towers, and ours, with transformers'."""

from collections.abc import Mapping

import torch
from torch import Tensor

BLOCK = {  # timm's names in a block -> DINOv2's and SigLIP's in transformers
    "norm1": ("norm1", "layer_norm1"),
    "norm2": ("norm2", "layer_norm2"),
    "attn.proj": ("attention.o_proj", "self_attn.out_proj"),
    "mlp.fc1": ("mlp.fc1", "mlp.fc1"),
    "mlp.fc2": ("mlp.fc2", "mlp.fc2"),
}
QKV = ("attention.{}_proj", "self_attn.{}_proj")
SCALES = {"ls1.scale_factor": "layer_scale1.lambda1", "ls2.scale_factor": "layer_scale2.lambda1"}
WHOLE = {  # outside the blocks
    "patch_embed.proj": ("embeddings.patch_embeddings.projection", "embeddings.patch_embedding"),
    "norm": ("layernorm", "post_layernorm"),
}
DINOV2, SIGLIP = "vision_backbone.featurizer.", "vision_backbone.fused_featurizer."
PROJECTOR = {"projector.fc1": "0", "projector.fc2": "2", "projector.fc3": "4"}
BODY = "language_model."


def renamed(theirs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Gives OpenVLA's weights the names that ``OpenVLA`` has for them.

    Args:
        theirs: As the authors' ``model-*.safetensors`` have them. What is not known keeps its
            name, so that a strict check finds it.
    """
    ours: dict[str, Tensor] = {}
    for name, tensor in theirs.items():
        module, _, kind = name.rpartition(".")
        if name.startswith(BODY):
            ours[f"body.{name.removeprefix(BODY)}"] = tensor
        elif module in PROJECTOR:
            ours[f"projector.{PROJECTOR[module]}.{kind}"] = tensor
        elif name.startswith(DINOV2):
            ours.update(_tower("dinov2", 0, name.removeprefix(DINOV2), tensor))
        elif name.startswith(f"{SIGLIP}attn_pool."):
            continue  # pools what the body reads patch by patch
        elif name.startswith(SIGLIP):
            ours.update(_tower("siglip", 1, name.removeprefix(SIGLIP), tensor))
        else:
            ours[name] = tensor
    token = ours.get("dinov2.embeddings.cls_token")
    if token is not None:  # one that only pre-training used, so that timm does not keep it
        ours["dinov2.embeddings.mask_token"] = torch.zeros_like(token[:, 0])
    return ours


def _tower(tower: str, side: int, name: str, tensor: Tensor) -> dict[str, Tensor]:
    """One weight of a tower; ``side`` 0 is DINOv2, 1 SigLIP."""
    module, _, kind = name.rpartition(".")
    if module in WHOLE:
        return {f"{tower}.{WHOLE[module][side]}.{kind}": tensor}
    if name == "pos_embed":
        if side:
            return {f"{tower}.embeddings.position_embedding.weight": tensor[0]}
        places = torch.cat([torch.zeros_like(tensor[:, :1]), tensor], dim=1)  # none for the class
        return {f"{tower}.embeddings.position_embeddings": places}
    if name in ("cls_token", "reg_token"):
        return {f"{tower}.embeddings.{name.replace('reg_token', 'register_tokens')}": tensor}
    if not name.startswith("blocks."):
        return {f"{tower}.{name}": tensor}
    _, number, rest = name.split(".", 2)
    block = f"{tower}.encoder.{'layers' if side else 'layer'}.{number}"
    if rest in SCALES:
        return {f"{block}.{SCALES[rest]}": tensor}
    module, _, kind = rest.rpartition(".")
    if module == "attn.qkv":
        parts = zip("qkv", tensor.chunk(3), strict=True)
        return {f"{block}.{QKV[side].format(letter)}.{kind}": part for letter, part in parts}
    return {f"{block}.{BLOCK[module][side] if module in BLOCK else module}.{kind}": tensor}
