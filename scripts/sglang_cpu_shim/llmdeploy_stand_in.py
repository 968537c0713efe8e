"""Test-only: modules whose content can be imported and named, and refuses to do any work.

SGLang imports the packages of its GPU kernels wherever it runs, also where no kernel is ever called. The
packages beside this file stand in for those that cannot be had for a CPU, or take a gigabyte. What is called
there raises NotImplementedError with its name: a test that reaches a kernel fails, and computes nothing else.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, NoReturn


def refuse(name: str) -> NoReturn:
    raise NotImplementedError(f"{name} is a stand-in of the tests: there is no such kernel on this CPU")


class Missing:
    """A function or a namespace that is not here."""

    def __init__(self, name: str) -> None:
        self.__name__ = name

    def __getattr__(self, name: str) -> Any:
        return member(self.__name__, name)

    def __call__(self, *args: Any, **options: Any) -> NoReturn:
        refuse(self.__name__)


@cache
def member(owner: str, name: str) -> Any:
    """Return what stands for `owner.name`, always the same; a class where it is named like one, for isinstance."""
    if name.startswith("__"):  # what Python itself asks a module, such as __file__
        raise AttributeError(f"{owner} has no {name}")
    full = f"{owner}.{name}"
    if name[:1].isupper():
        return type(name, (), {"__module__": owner, "__init__": lambda self, *args, **options: refuse(full)})
    return Missing(full)


class Submodules:
    """Finds every module of a package that is not there as a file."""

    def __init__(self, package: str) -> None:
        self.prefix = f"{package}."

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        return ModuleSpec(name, self, is_package=True) if name.startswith(self.prefix) else None

    def create_module(self, spec: ModuleSpec) -> None:
        """Let Python make it."""

    def exec_module(self, module: ModuleType) -> None:
        module.__getattr__ = lambda name: member(module.__name__, name)


def stand_in(package: str) -> Callable[[str], Any]:
    """Return a package's `__getattr__`, and let all of its submodules be found."""
    sys.meta_path.append(Submodules(package))  # last: real files come first
    return lambda name: member(package, name)
