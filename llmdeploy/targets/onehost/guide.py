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
    if plan.routes:
        return
    yield "No routes, hence no gateway: every path of an engine is open, its administration included."
    port = options.port
    for service in plan.services:
        ports = ", ".join(str(port + index) for index in range(service.replicas))
        yield f"Model `{service.name}` listens on port {ports} of `{options.bind}`."
        port += service.replicas
