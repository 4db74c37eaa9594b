"""LLaVA-Pythia, the released TinyVLA's backbone, on transformers' CLIP, SigLIP and GPT-NeoX."""
