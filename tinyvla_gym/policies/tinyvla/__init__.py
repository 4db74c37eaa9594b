"""The TinyVLA policy: compact backbone, diffusion head on action chunks, LoRA. Needs torch."""
