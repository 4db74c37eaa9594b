"""The three published sizes of LLaVA-Pythia, as options of the backbone."""

from typing import Any

from tinyvla_gym.errors import UnknownNameError

CLIP_L_336 = {
    "model_type": "clip_vision_model",
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "image_size": 336,
    "patch_size": 14,
    "hidden_act": "quick_gelu",
    "projection_dim": 768,
}
"""CLIP ViT-L/14-336, 303.5 M weights; 576 tokens per camera."""

BODIES = {  # width, layers, heads
    "s": (512, 6, 8),  # Pythia-70M
    "b": (1024, 24, 16),  # Pythia-410M
    "h": (2048, 16, 8),  # Pythia-1B
}

TOY = {
    "vision": {
        "model_type": "clip_vision_model",
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "image_size": 32,
        "patch_size": 8,
    },
    "body": {
        "vocab_size": 260,
        "hidden_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 128,
        "max_position_embeddings": 512,
    },
    "picture_path": "plain",
}
"""Options of a LLaVA-Pythia of a doll's width, for the toy's pictures of 32 px; reads bytes."""

SIGHTED_TOY = {
    **TOY,
    "body": {**TOY["body"], "initializer_range": 0.125},
    "mean": (0.7, 0.7, 0.6),
    "std": (0.1, 0.1, 0.1),
    "prompt": "bare",
}
"""The same, made to learn around random weights that stay: the body passes on what it is given, the
pictures' brightness is the toy's, and no conversation drowns 32 patches in 170 idle bytes."""


def options(size: str) -> dict[str, Any]:
    """Gives the backbone options of size ``s``, ``b`` or ``h``.

    Raises:
        UnknownNameError: If there is no such size.
    """
    if size not in BODIES:
        raise UnknownNameError("size of LLaVA-Pythia", size, BODIES)
    width, layers, heads = BODIES[size]
    body = {
        "vocab_size": 50304,
        "hidden_size": width,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "intermediate_size": 4 * width,
        "rotary_pct": 0.25,
        "rotary_emb_base": 10_000,
        "max_position_embeddings": 2048,
        "use_parallel_residual": True,
        "layer_norm_eps": 1e-5,
        "hidden_act": "gelu",
    }
    return {"vision": dict(CLIP_L_336), "body": body}
