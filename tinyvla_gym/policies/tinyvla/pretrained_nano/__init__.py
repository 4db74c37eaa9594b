"""pretrained-nano: TinyVLA's recipe at a laptop's size, from parts that ship inside PyPI wheels."""
