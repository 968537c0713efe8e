"""The target `helm`: a chart that is the same for every plan, and the values of this one."""

from llmdeploy.targets.helm.target import HelmTarget

TARGET = HelmTarget()

__all__ = ["TARGET"]
