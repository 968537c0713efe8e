"""Test-only: stands in for Triton, the compiler of GPU kernels: a gigabyte that has no use on a CPU.

Hundreds of SGLang's modules define kernels with it as they are imported. Here they can be defined, and one
that is launched raises NotImplementedError with its name. `cdiv` and `next_power_of_2` are real: they are
also called outside of kernels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from llmdeploy_stand_in import refuse, stand_in

# Compared with as a number; every recent one would do.
__version__ = "3.7.0"


class Kernel:
    """A function that is meant for a GPU; `kernel[grid]` would launch it."""

    def __init__(self, function: Any) -> None:
        self.fn = function
        self.__name__ = function.__name__

    def __getitem__(self, grid: object) -> NoReturn:
        refuse(f"the Triton kernel {self.__name__}")

    __call__ = __getitem__


class Config:
    """One way to tune a kernel. Lists of them are made on import, and read when it is launched."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self.args, self.options = args, options


def jit(function: Any = None, **options: Any) -> Any:
    """Serve both as `@jit` and as `@jit(...)`."""
    return Kernel if function is None else Kernel(function)


def autotune(*args: Any, **options: Any) -> Callable[[Kernel], Kernel]:
    return lambda kernel: kernel


heuristics = autotune


def cdiv(dividend: int, divisor: int) -> int:
    return -(-dividend // divisor)


def next_power_of_2(number: int) -> int:
    return 1 << (number - 1).bit_length()


__getattr__ = stand_in(__name__)
