"""What the router was started with, and what it counts."""

from __future__ import annotations

import ipaddress
import socket
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

# Tag v3.3.7 was made without raising the number in Cargo.toml, and this is what /info tells.
VERSION = "3.3.6-dev0"
SHA = "dfb3fbe78e0d1d69251bd33065591c61bafdfaa8"
LABEL = f"sha-{SHA[:7]}"
_HELP = {
    "tgi_request_count": ("counter", "Total number of requests"),
    "tgi_request_success": ("counter", "Number of successful requests"),
    "tgi_request_failure": ("counter", ""),
    "tgi_queue_size": ("gauge", "Current queue size"),
}


def address(host: str, port: int) -> tuple[socket.AddressFamily, tuple[Any, ...]]:
    version = ipaddress.ip_address(host).version
    return (socket.AF_INET6 if version == 6 else socket.AF_INET), (host, port)


class Metrics:
    """As of the recorder of TGI: what was never touched is not shown, not even as 0."""

    def __init__(self) -> None:
        self._values: Counter[tuple[str, str]] = Counter()
        self._one = threading.Lock()

    def count(self, name: str, label: str = "") -> None:
        with self._one:
            self._values[name, label] += 1

    def set(self, name: str, value: int) -> None:
        with self._one:
            self._values[name, ""] = value

    def render(self) -> str:
        with self._one:
            values = dict(self._values)
        lines = []
        for name, (kind, text) in _HELP.items():
            mine = [f"{name}{label} {value}" for (of, label), value in values.items() if of == name]
            if mine:
                lines += [f"# HELP {name} {text}"] if text else []
                lines += [f"# TYPE {name} {kind}", *mine, ""]
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Router:
    """`args` are the launcher's. The pipeline's tag comes from the Hub, which is never asked."""

    args: SimpleNamespace
    host: str
    max_input_tokens: int
    max_total_tokens: int
    chat_template: bool
    compute_type: str
    metrics: Metrics = field(default_factory=Metrics)
    permits: threading.Semaphore = field(default_factory=threading.Semaphore)

    @classmethod
    def of(
        cls, args: SimpleNamespace, environ: Mapping[str, str], prompt: int, total: int, template: bool
    ) -> Router:
        kind = environ.get("COMPUTE_TYPE", "gpu+optimized")
        permits = threading.Semaphore(args.max_concurrent_requests)
        return cls(args, _host(args.hostname), prompt, total, template, kind, permits=permits)

    @property
    def port(self) -> int:
        return int(self.args.port)

    @property
    def fingerprint(self) -> str:
        return f"{VERSION}-{LABEL}"

    def info(self) -> dict[str, Any]:
        args = self.args
        return {
            "model_id": args.model_id,
            "model_sha": None,
            "model_pipeline_tag": None,
            "max_concurrent_requests": args.max_concurrent_requests,
            "max_best_of": args.max_best_of,
            "max_stop_sequences": args.max_stop_sequences,
            "max_input_tokens": self.max_input_tokens,
            "max_total_tokens": self.max_total_tokens,
            "validation_workers": args.validation_workers,
            "max_client_batch_size": args.max_client_batch_size,
            "router": "text-generation-router",
            "version": VERSION,
            "sha": SHA,
            "docker_label": LABEL,
        }

    def models(self) -> dict[str, Any]:
        name = self.args.model_id
        model = {"id": name, "object": "model", "created": 0, "owned_by": name}
        return {"object": "list", "data": [model]}


def _host(name: str) -> str:
    """HOSTNAME is an address, or it is the name that a container engine gave, and not heard."""
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        return "0.0.0.0"
