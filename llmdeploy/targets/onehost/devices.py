"""How a host's GPUs are handed to a container."""

from __future__ import annotations

from collections.abc import Iterator

from llmdeploy.diagnostics import Diagnostic
from llmdeploy.plan.model import Service
from llmdeploy.targets.onehost.container import Devices

# The kernel numbers render nodes from here, in the order of the cards.
_FIRST_RENDER_NODE = 128


def of(service: Service, replica: int) -> Devices:
    gpus = service.gpus
    if gpus.count == 0:
        return Devices()
    ids = gpus.devices[replica]
    if gpus.vendor == "nvidia":
        return Devices(nvidia=ids)
    nodes = (f"/dev/dri/renderD{_FIRST_RENDER_NODE + int(device)}" for device in ids)
    return Devices(files=("/dev/kfd", *nodes), groups=("video",))


def check(target: str, service: Service) -> Iterator[Diagnostic]:
    """Yield what keeps a service's GPUs from being handed over."""
    gpus, pool = service.gpus, ("gpus", service.gpus.pool)
    if gpus.count == 0:
        return
    if gpus.vendor not in ("nvidia", "amd"):
        yield Diagnostic(
            "LD401",
            f"target `{target}` cannot hand a container a GPU of `{gpus.vendor}`",
            pool,
            help="build for a cluster: `targets: {kubernetes: {}}`",
        )
    elif len(gpus.devices) < service.replicas:
        yield Diagnostic(
            "LD401",
            f"target `{target}` does not know which devices of the host `{gpus.pool}` has",
            pool,
            help="name them: `devices: [MIG-…]`, as `nvidia-smi -L` lists them",
        )
    elif gpus.vendor == "amd" and not all(device.isdecimal() for ids in gpus.devices for device in ids):
        yield Diagnostic(
            "LD401",
            f"target `{target}` names GPUs of AMD by their index only",
            (*pool, "devices"),
            help="write the number N of each card's `/dev/dri/renderD(128 + N)`",
        )
