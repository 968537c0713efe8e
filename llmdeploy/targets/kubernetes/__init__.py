"""The target `kubernetes`. Its `values` are the one lowering of a plan; the target `helm` prints them."""

from llmdeploy.targets.kubernetes.target import KubernetesTarget

TARGET = KubernetesTarget()

__all__ = ["TARGET"]
