"""Judges manifests as an API server and a node would, without either. See `rules`."""

from llmdeploy.targets.kubernetes.verify.problem import Problem
from llmdeploy.targets.kubernetes.verify.rules import verify

__all__ = ["Problem", "verify"]
