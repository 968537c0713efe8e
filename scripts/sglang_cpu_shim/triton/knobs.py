"""Test-only: Triton's settings, of which there are none; SGLang hooks into the loading of kernels where it can."""
