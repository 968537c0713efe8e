"""Test-only: what Triton compiles for, which is nothing; PyTorch looks here before it compiles a function."""

backends: dict[str, object] = {}
