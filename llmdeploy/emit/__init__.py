"""From values to text: the one YAML writer, the one Jinja environment, the one shell quoting, the atomic write."""

from llmdeploy.emit.artifact import Artifact

__all__ = ["Artifact"]
