"""The project: its name, secrets, routes, gateway and storage."""

from __future__ import annotations

from typing import Any

from effects.row import CLUSTER, Row

ROWS: dict[str, Any] = {
    "version": 2,
    "name": Row({"name": "other"}, {"targets": CLUSTER}),
    "secrets.hf-token.env": "ANOTHER",
    "secrets.hf-token.kubernetes.name": "another",
    "secrets.hf-token.kubernetes.key": "another",
    "routes.0.path": "/talk",
    "routes.0.model": "odd",
    "gateway.host": "other.example.com",
    "gateway.tls.secret": Row(
        {"gateway.tls.secret": "other"},
        {"gateway.tls.secret": "llm-tls", "targets": {"kubernetes": {"routing": "gateway-api"}}},
    ),
    "gateway.auth": "other",
    "gateway.idle_timeout": "15m",
    "storage.cache.path": "/srv/weights",
    "storage.cache.size": "1TiB",
    "storage.cache.class": "fast",
    "storage.cache.access": "ReadWriteOnce",
    "routes.0.by": Row({"routes.0": {"path": "/v1", "by": "model"}}),
}
