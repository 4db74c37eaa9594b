"""What is measured: ours and each peer, every one a program of its own that answers in lines."""
