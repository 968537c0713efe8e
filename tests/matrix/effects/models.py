"""A model: what it runs on, and how it is served."""

from __future__ import annotations

from typing import Any

from effects.row import ONE_HOST, Row

OTHER_COMMIT = "6f6073b423013f6a7d4d9f39144961bfbfbc386b"

ROWS: dict[str, Any] = {
    "models.chat.revision": OTHER_COMMIT,
    "models.chat.token": "other",
    "models.chat.engine_version": "0.32.0",
    "models.chat.image": "registry.example/own:1",
    "models.chat.gpus.count": 2,
    "models.chat.gpus.share": Row({"models.chat.gpus.share": 0.5}, {"targets": ONE_HOST}),
    "models.chat.parallel.expert": True,
    "models.chat.dtype": "float16",
    "models.chat.quantization": "fp8",
    "models.chat.context": 4096,
    "models.chat.concurrency": 7,
    "models.chat.batch_tokens": 2048,
    "models.chat.memory_fraction": 0.8,
    "models.chat.kv_cache.dtype": "fp8",
    "models.chat.prefix_caching": False,
    "models.chat.structured_output.backend": "guidance",
    "models.chat.served_names": ["one", "two"],
    "models.chat.tools.parser": "hermes",
    "models.chat.reasoning.parser": "qwen3",
    "models.chat.multimodal.image": 1,
    "models.chat.multimodal.video": 1,
    "models.chat.multimodal.audio": 1,
    "models.chat.chat_template": "./chat.jinja",
    "models.chat.replicas": 2,
    "models.chat.env": {"NCCL_DEBUG": "INFO"},
    "models.chat.engine_args": {"max-logprobs": 5},
    "models.chat.needs": Row(
        {"models.chat.needs": ["shared_prefixes"]},
        {"models.chat.engine": "auto", "models.chat.engine_version": None},
    ),
    "models.chat.ready_timeout": "50m",
    "models.chat.engine": Row({"models.chat.engine": "sglang"}, {"models.chat.engine_version": None}),
    "models.chat.gpus.pool": Row({"models.chat.gpus.pool": "odd"}, {"models.chat.gpus.count": 2}),
    "models.chat.parallel.tensor": Row(
        {"models.chat.parallel": {"tensor": 2, "pipeline": 2}}, {"models.chat.parallel": {"pipeline": 1}}
    ),
    "models.chat.parallel.pipeline": 2,
    "models.chat.parallel.data": 2,
    "models.chat.trust_remote_code": True,
    "models.chat.task": "embed",
}
