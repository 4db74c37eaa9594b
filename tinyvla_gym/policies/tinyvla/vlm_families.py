"""What differs from one family of transformers' vision-language models to the next.

How pictures are handed over, which the signature of the forward pass tells:

    ``image_grid_thw``         Qwen-VL and kin: patches in a row
    ``pixel_attention_mask``   Idefics, SmolVLM: (B, pictures, 3, S, S)
    neither                    InternVL, PaliGemma, Gemma 3, LLaVA: (B * pictures, 3, S, S)

Which tokens stand around a picture and which are said to be one, its config tells.

Shapes: B batch, S side of the picture [px], T tokens.
"""

import inspect
from typing import Any

import torch
from torch import Tensor
from transformers import PretrainedConfig

from tinyvla_gym.errors import ConfigError

FRAMES = (("vision_start_token_id", "vision_end_token_id"), ("boi_token_id", "eoi_token_id"))
"""What Qwen-VL and Gemma call the tokens that tell one picture from the next."""
USABLE = "Families that can be used are gemma3, internvl, llava, paligemma, qwen2_5_vl and smolvlm."


def check_family(model: Any) -> None:
    """Refuses a model that wants to know more of a picture than its pixels.

    Raises:
        ConfigError: It names the family and what that needs.
    """
    family = model.config.model_type
    if not hasattr(model, "get_image_features"):
        raise ConfigError(f"{family} does not turn pictures into tokens of a prompt. {USABLE}")
    accepts = inspect.signature(model.forward).parameters
    given = {"pixel_values", *({"image_grid_thw"} & set(accepts))}
    wanted = [
        name
        for name, one in inspect.signature(model.get_image_features).parameters.items()
        if one.default is one.empty and one.kind is not one.VAR_KEYWORD and name not in given
    ]
    if wanted:
        raise ConfigError(
            f"{family} needs {', '.join(wanted)} beside the pictures, which is not known here. "
            f"{USABLE}"
        )


def handed_over(
    pixels: Tensor, config: PretrainedConfig, accepts: frozenset[str]
) -> dict[str, Tensor]:
    """Arranges pictures as a family of models takes them.

    Args:
        pixels: Shape (B, pictures, 3, S, S).
        config: The model's.
        accepts: Arguments of its forward pass.

    Raises:
        ConfigError: If S does not divide into the model's patches.
    """
    if "image_grid_thw" in accepts:
        return _in_patches(pixels.flatten(0, 1), config.vision_config)
    if "pixel_attention_mask" in accepts:
        return {"pixel_values": pixels}
    return {"pixel_values": pixels.flatten(0, 1)}


def _in_patches(pixels: Tensor, eyes: Any) -> dict[str, Tensor]:
    """Cuts pictures (N, 3, S, S) into a row of patches, grouped as they will be merged."""
    patch, merge, frames = eyes.patch_size, eyes.spatial_merge_size, eyes.temporal_patch_size
    count, colours, side, _ = pixels.shape
    if side % (patch * merge):
        raise ConfigError(f"side={side} must be a multiple of {patch * merge} for these eyes.")
    cells = side // patch
    halves = (cells // merge, merge, patch)
    film = pixels[:, None].expand(-1, frames, -1, -1, -1)  # one picture is a film that stands still
    film = film.reshape(count, frames, colours, *halves, *halves)
    rows = film.permute(0, 3, 6, 4, 7, 2, 1, 5, 8)  # (N, big, big, small, small, 3, frames, ...)
    return {
        "pixel_values": rows.reshape(count * cells * cells, -1),
        "image_grid_thw": torch.tensor([[1, cells, cells]] * count, device=pixels.device),
    }


def picture_id(config: Any) -> int:
    """The token that stands for a piece of a picture.

    Raises:
        ConfigError: If the config does not say.
    """
    for name in ("image_token_id", "image_token_index"):
        if getattr(config, name, None) is not None:
            return int(getattr(config, name))
    raise ConfigError(f"The config of {config.model_type} does not say which token is a picture.")


def marks(config: Any, per_picture: int) -> list[int]:
    """The tokens of one picture, framed where the family frames them."""
    mark = [picture_id(config)] * per_picture
    for names in FRAMES:
        start, end = (getattr(config, name, None) for name in names)
        if start is not None and end is not None:
            return [start, *mark, end]
    return mark


def kinds(ids: Tensor, config: Any, accepts: frozenset[str]) -> dict[str, Tensor]:
    """Says which tokens are a picture's, where a family asks.

    Args:
        ids: Shape (B, T).
        config: The model's.
        accepts: Arguments of its forward pass.
    """
    seen = (ids == picture_id(config)).int()
    # To PaliGemma 0 is the prompt, pictures and all, and 1 what it answers.
    types = torch.zeros_like(seen) if config.model_type == "paligemma" else seen
    known = {"mm_token_type_ids": seen, "token_type_ids": types}
    return {name: tensor for name, tensor in known.items() if name in accepts}
