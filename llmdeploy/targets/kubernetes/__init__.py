"""The target `kubernetes`. `values` is the one lowering of a plan; the target `helm` prints the same values."""

from llmdeploy.targets.kubernetes.target import KubernetesTarget

TARGET = KubernetesTarget()

__all__ = ["TARGET"]
