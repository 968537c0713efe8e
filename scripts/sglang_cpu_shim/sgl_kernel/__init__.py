"""Test-only: stands in for SGLang's compiled kernels, of which PyPI has no build for a CPU.

SGLang imports them by name when it lays out its KV cache. With PyTorch's own attention and sampling none is
called, and one that is raises NotImplementedError with its name.
"""

from llmdeploy_stand_in import stand_in

__getattr__ = stand_in(__name__)
