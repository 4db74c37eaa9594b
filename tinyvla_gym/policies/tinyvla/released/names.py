"""The released code's names of weights, and ours.

The released policy calls its head ``embed_out``, which is the language model's head in the base;
the latter has no use in a policy and is left behind.
"""

import re
from collections.abc import Mapping

from torch import Tensor

_BUFFERS = re.compile(
    r"(attention\.(bias|masked_bias)|rotary_emb\.inv_freq|embeddings\.position_ids)$"
)
"""Constants that old versions of transformers saved."""

_PREFIXES = re.compile(r"^(base_model\.)?(model\.)?")
_WRAPPERS = re.compile(r"\.base_layer(?=\.)")

_RENAMED = [  # released -> ours; of these, the first that fits
    (r"gpt_neox\.vision_tower\.vision_model\.", "backbone.eyes.tower."),
    (r"gpt_neox\.mm_projector\.(?=weight|bias)", "backbone.projector.0."),
    (r"gpt_neox\.mm_projector\.", "backbone.projector."),
    (r"gpt_neox\.", "backbone.body."),
    (r"embed_out\.norm_after_pool\.", "norm."),
    (r"embed_out\.combine\.", "fusion.0."),
    (r"embed_out\.", "head.denoiser."),
]
_IN_THE_HEAD = [  # one after another
    (r"diffusion_step_encoder", "step_encoder"),
    (r"down_modules\.(\d)\.2\.conv", r"shrink.\1"),
    (r"up_modules\.(\d)\.2\.conv", r"grow.\1"),
    (r"(down|mid|up)_modules", r"\1"),
    (r"final_conv\.0\.block", "final.0"),
    (r"final_conv", "final"),
    (r"blocks\.0\.block", "first"),
    (r"blocks\.1\.block", "second"),
    (r"cond_encoder", "film"),
    (r"residual_conv", "shortcut"),
]

LANGUAGE_HEAD = "embed_out.weight"


def our_name(released: str) -> str:
    """Renames one weight; a name that is not the released code's is given back as it is."""
    for pattern, ours in _RENAMED:
        name, found = re.subn(f"^{pattern}", ours, released)
        if found:
            break
    else:
        return released
    if name.startswith("head."):
        for pattern, ours in _IN_THE_HEAD:
            name = re.sub(pattern, ours, name)
    return name


def renamed(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Gives a file's weights our names, in float32; adapters, buffers and the language head go.

    Adapters are the business of ``adapters.refuse_strays`` and ``adapters.read_adapters``.
    """
    found: dict[str, Tensor] = {}
    for name, tensor in weights.items():
        plain = _WRAPPERS.sub("", _PREFIXES.sub("", name))
        if is_adapter(plain) or plain == LANGUAGE_HEAD or _BUFFERS.search(plain):
            continue
        found[our_name(plain)] = tensor.float()
    return found


def is_adapter(name: str) -> bool:
    """Says whether a weight is part of an adapter."""
    return "lora_" in name


def adapted_weight(name: str) -> tuple[str, str] | None:
    """Reads an adapter's name.

    Returns:
        Our name of the weight that it adapts, and ``A`` or ``B``; None if it is no adapter.
    """
    fits = re.fullmatch(
        r"(?:base_model\.)?(?:model\.)?(.+)\.lora_([AB])(?:\.default)?\.weight", name
    )
    return (our_name(f"{fits[1]}.weight"), fits[2]) if fits else None
