"""GPUs: what one card offers, and the names by which llm.yaml, Kubernetes and nvidia-smi know it."""

from __future__ import annotations

from functools import cache
from typing import Literal

from msgspec import Struct

from llmdeploy.catalog.rows import rows

Vendor = Literal["nvidia", "amd", "intel", "habana", "cpu"]


class Gpu(Struct, frozen=True):
    """One kind of accelerator."""

    id: str
    vendor: Vendor
    name: str
    #: GiB (2^30 bytes) that the driver hands to a process, not the figure on the box; None for the CPU.
    memory_gib: float | None
    #: What of it was seen free before anything starts, where it is the machine's memory, too; None elsewhere.
    free_gib: float | None
    #: NVIDIA's compute capability ("9.0"); None elsewhere.
    capability: str | None
    #: LLVM target of the other vendors (gfx942).
    arch: str | None
    #: Other spellings, lower case with hyphens.
    aliases: tuple[str, ...]
    #: Extended resource that the vendor's Kubernetes device plugin offers; None for the CPU.
    resource: str | None
    #: Values of the node label nvidia.com/gpu.product that carry this card.
    node_product: tuple[str, ...]
    #: `nvidia-smi --query-gpu=name`.
    smi_names: tuple[str, ...]
    source: str


def gpu(name: str) -> Gpu | None:
    """The GPU of this id, alias, product label or nvidia-smi name; case, blanks and `_` do not matter."""
    return _by_name().get(_slug(name))


def gpu_by_smi(name: str) -> Gpu | None:
    """The GPU that nvidia-smi prints as `name`; unlike `gpu`, it takes no other spelling."""
    return next((known for known in gpus() if name.strip() in known.smi_names), None)


def gpu_names() -> tuple[str, ...]:
    """The ids, in the order of the catalog: what a diagnostic lists as legal."""
    return tuple(known.id for known in gpus())


@cache
def gpus() -> tuple[Gpu, ...]:
    lists = ("aliases", "node_product", "smi_names")
    return tuple(Gpu(**row | {key: tuple(row[key]) for key in lists}) for row in rows("gpus"))


@cache
def _by_name() -> dict[str, Gpu]:
    return {
        _slug(name): known
        for known in gpus()
        for name in (known.id, *known.aliases, *known.node_product, *known.smi_names)
    }


def _slug(name: str) -> str:
    return "-".join(name.lower().replace("_", " ").replace("-", " ").split())
