"""Test-only: the language that Triton's kernels are written in; see the package above."""

from __future__ import annotations

from typing import Any

from llmdeploy_stand_in import member


class constexpr:  # noqa: N801  Triton's own spelling
    """A number that a kernel is compiled with; modules hold some of them as constants."""

    def __init__(self, value: Any) -> None:
        self.value = value


def __getattr__(name: str) -> Any:
    return member(__name__, name)
