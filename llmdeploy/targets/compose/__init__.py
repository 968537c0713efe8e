"""A Compose project that runs the plan."""

from llmdeploy.targets.compose.target import TARGET

__all__ = ["TARGET"]
