"""Where a host's gateway is reached."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from llmdeploy.plan.model import Plan
from llmdeploy.spec.targets import Docker


def base_url(options: Docker) -> str:
    address = ipaddress.ip_address(options.bind)
    if address.is_unspecified:
        address = ipaddress.ip_address("127.0.0.1" if address.version == 4 else "::1")
    return f"http://{address if address.version == 4 else f'[{address}]'}:{options.port}"


def remarks(plan: Plan, options: Docker) -> Iterator[str]:
    for service in plan.services:
        if service.after:
            first = " and ".join(f"`{name}`" for name in service.after)
            yield (
                f"Model `{service.name}` starts when {first} is ready, since they share a card. When the host boots, docker "
                "starts all at once; an engine that measures what is free may then take another part of it: recreate them in turn."
            )
    if plan.routes:
        return
    yield "No routes, hence no gateway: every path of an engine is open, its administration included."
    port = options.port
    for service in plan.services:
        ports = ", ".join(str(port + index) for index in range(service.replicas))
        yield f"Model `{service.name}` listens on port {ports} of `{options.bind}`."
        port += service.replicas
