"""What another image asks of the machine."""

from __future__ import annotations

from collections.abc import Iterator

from llmdeploy.engines.limits import Cuda, limits
from llmdeploy.engines.table import Table
from llmdeploy.rewrite.report import Item, Kind

Release = tuple[Table, str]


def driver(before: Release, after: Release) -> Iterator[Item]:
    """Yield the change of CUDA between the images of two releases."""
    was, now = _cuda(*before), _cuda(*after)
    if was is None or now is None:
        return
    if (was.version, was.driver) != (now.version, now.driver):
        why = f"the image wants NVIDIA's driver {now.driver} or newer, and a GPU of {_capability(now.lowest)} or higher"
        yield Item(
            Kind.MACHINE,
            f"CUDA {was.version}, driver {was.driver}",
            f"CUDA {now.version}, driver {now.driver}",
            why,
        )


def _cuda(table: Table, version: str) -> Cuda | None:
    return limits(table.limits, version, table.serves, ()).cuda


def _capability(sm: int) -> str:
    return f"compute capability {sm // 10}.{sm % 10}"
