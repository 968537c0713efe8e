"""Shell scripts that run the plan with docker alone."""

from llmdeploy.targets.docker.target import TARGET

__all__ = ["TARGET"]
