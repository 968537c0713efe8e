"""Pools of GPUs."""

from __future__ import annotations

from typing import Any

from effects.row import CLUSTER, Row

ROWS: dict[str, Any] = {
    "gpus.h100.type": "h200-sxm-141gb",
    "gpus.h100.count": 6,
    "gpus.h100.nodes": Row(
        # Too little on one node, enough on two.
        {"gpus.h100.nodes": 1},
        {"gpus.h100.nodes": 2, "models.chat.replicas": 4, "targets": CLUSTER},
    ),
    "gpus.odd.vendor": "amd",
    "gpus.cpu.memory": "64GiB",
    "gpus.odd.capability": Row({"gpus.odd.capability": "7.5"}, {"models.odd.dtype": "bfloat16"}),
    "gpus.odd.resource": "nvidia.com/gpu.shared",
    "gpus.odd.devices": [12, 13, 14, 15],
}
