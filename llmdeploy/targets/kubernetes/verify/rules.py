"""The rules, in one list."""

from __future__ import annotations

from collections.abc import Sequence

from llmdeploy.targets.kubernetes.meta import Object
from llmdeploy.targets.kubernetes.verify.problem import Problem


def verify(items: Sequence[Object]) -> list[Problem]:
    return []
