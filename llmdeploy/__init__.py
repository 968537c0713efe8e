"""A declarative deployment compiler for open LLMs: one llm.yaml, four ways to serve it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llmdeploy.compiler import Result, compile
    from llmdeploy.facts import Facts

__version__ = "0.1.0"
__all__ = ["Facts", "Result", "__version__", "compile"]

_HOMES = {"compile": "llmdeploy.compiler", "Result": "llmdeploy.compiler", "Facts": "llmdeploy.facts"}


def __getattr__(name: str) -> Any:
    # Lazy, so that `llmdeploy --help` does not pay for the compiler.
    if name in _HOMES:
        import importlib

        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
