"""Pools of llm.yaml as hardware: what the catalog knows, overridden by what the file states."""

from __future__ import annotations

import re
from collections.abc import Iterator
from math import floor

from msgspec import Struct

from llmdeploy import catalog
from llmdeploy.spec.model import Pool, Spec

_OF_A_PROFILE = 0.95
"""GiB of a slice for each GB in the name of its profile: 4.75 for 1g.5gb, and a little more in larger ones (MIG User Guide)."""
_RESOURCES = {"nvidia": "nvidia.com/gpu", "amd": "amd.com/gpu"}


class Hardware(Struct, frozen=True):
    """One pool. `memory_gib` is of one GPU, or of the node where `vendor` is cpu; `count` is GPUs per node."""

    name: str
    vendor: str
    title: str
    memory_gib: float | None
    capability: str | None
    arch: str | None
    resource: str | None
    products: tuple[str, ...]
    count: int
    nodes: int
    devices: tuple[str, ...]
    sliced: bool
    """Its unit is a slice of a GPU (MIG), which has no index on the host."""
    gpu: str | None = None
    """Its id in the catalog."""
    free_gib: float | None = None
    """What is free of a GPU's memory before anything starts, where that is the machine's memory, too."""

    @property
    def is_cpu(self) -> bool:
        return self.vendor == "cpu"

    @property
    def fraction(self) -> float | None:
        """What one model may take of a GPU that is the machine's memory, too, in steps of 5 %; None elsewhere."""
        if self.free_gib is None or self.memory_gib is None:
            return None
        return floor(min(self.free_gib / self.memory_gib, 1.0) * 20) / 20

    @property
    def divisible(self) -> bool:
        """Whether models may share its cards: a slice is a share already, and a CPU's node is divided anyway."""
        return not (self.is_cpu or self.sliced)

    @property
    def sm(self) -> int | None:
        """The compute capability as engines count it: 90 for "9.0"."""
        return int(self.capability.replace(".", "")) if self.capability else None

    @property
    def total(self) -> int:
        return self.count * self.nodes


def graphs(vendor: str) -> str:
    """Return what the recorded kernels of a step are called there; a CPU has none."""
    return {"nvidia": "CUDA graphs", "amd": "HIP graphs"}.get(vendor, "graphs")


def hardware(spec: Spec) -> dict[str, Hardware]:
    """Return the pools whose GPU is known; an unknown one has its diagnostic elsewhere."""
    return dict(_pools(spec))


def _pools(spec: Spec) -> Iterator[tuple[str, Hardware]]:
    free = _free_indexes(spec)
    for name, pool in spec.gpus.items():
        gpu = catalog.gpu(pool.type) if pool.type else None
        if gpu is None and pool.type is not None:
            continue
        vendor = pool.vendor or (gpu.vendor if gpu else "nvidia")
        is_cpu = vendor == "cpu"
        resource = None if is_cpu else pool.resource or (gpu.resource if gpu else _RESOURCES[vendor])
        sliced = pool.resource is not None and "mig-" in pool.resource
        count = pool.count or 1
        yield (
            name,
            Hardware(
                name=name,
                vendor=vendor,
                title=gpu.name if gpu else f"{vendor} GPU",
                memory_gib=pool.memory or _memory(pool, gpu),
                capability=pool.capability or (gpu.capability if gpu else None),
                arch=gpu.arch if gpu else None,
                resource=resource,
                # A slice carries the product label of its profile, which only the cluster knows.
                products=tuple(gpu.node_product) if gpu and not sliced else (),
                count=count,
                nodes=pool.nodes,
                devices=_devices(pool, count, free, is_cpu or sliced),
                sliced=sliced,
                gpu=gpu.id if gpu else None,
                free_gib=gpu.free_gib if gpu else None,
            ),
        )


def _memory(pool: Pool, gpu: catalog.Gpu | None) -> float | None:
    """Return what the catalog knows of one unit: of a MIG slice, what the name of its profile says."""
    if pool.resource is None or "mig-" not in pool.resource:
        named = any(device.startswith("MIG-") for device in pool.devices or ())
        return gpu.memory_gib if gpu and not named else None
    profile = re.search(r"mig-\d+g\.(\d+)gb", pool.resource)
    return int(profile[1]) * _OF_A_PROFILE if profile else None


def _free_indexes(spec: Spec) -> Iterator[str]:
    """Yield the host's device indexes that no pool names for itself: pools of one host must not overlap."""
    named = {device for pool in spec.gpus.values() for device in pool.devices or ()}
    return (str(index) for index in range(1 << 20) if str(index) not in named)


def _devices(pool: Pool, count: int, free: Iterator[str], unnamed: bool) -> tuple[str, ...]:
    if pool.devices is not None:
        return tuple(pool.devices)
    return () if unnamed else tuple(next(free) for _ in range(count))
