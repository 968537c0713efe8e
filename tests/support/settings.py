"""Settings made by hand, so that an engine is tested without the rest of the compiler."""

from __future__ import annotations

from typing import Any

from llmdeploy.engines.base import Adapter, Settings, Speculation
from llmdeploy.engines.openllm import ENGINE as OPENLLM
from llmdeploy.engines.sglang import ENGINE as SGLANG
from llmdeploy.engines.tgi import ENGINE as TGI
from llmdeploy.engines.vllm import ENGINE as VLLM
from llmdeploy.plan.model import Secret

ENGINES = {engine.name: engine for engine in (VLLM, SGLANG, TGI, OPENLLM)}
HERE = ("models", "chat")
API_KEY = Secret("api-key", "LLM_API_KEY", ("llm-api-key", "key"), ("secrets", "api-key"))
HUB_TOKEN = Secret("hf-token", "HF_TOKEN", ("hf-token", "token"), ("secrets", "hf-token"))

#: One value for every neutral setting that an engine takes some value of.
RICH: dict[str, Any] = {
    "revision": "0123456789abcdef0123456789abcdef01234567",
    "served_names": ("chat", "llama"),
    "tensor": 4,
    "pipeline": 2,
    "data": 2,
    "expert": True,
    "dtype": "bfloat16",
    "quantization": "fp8",
    "context": 4096,
    "concurrency": 8,
    "batch_tokens": 8192,
    "memory_fraction": 0.9,
    "kv_dtype": "fp8",
    "prefix_caching": False,
    "structured_output": False,
    "trust_remote_code": True,
    "chat_template": "/templates/chat.jinja",
    "embed": True,
    "tools": "hermes",
    "reasoning": "qwen3",
    "multimodal": {"image": 2},
    "adapters": (Adapter("sql", "/adapters/sql", 16),),
    "speculative": Speculation("ngram", 4),
}


def settings(engine: str, values: dict[str, Any] | None = None, **changes: Any) -> Settings:
    """What `resolve` would hand over for a model named `chat`; stated settings come from where they are."""
    values = values or {}
    plain: dict[str, Any] = {
        "name": "chat",
        "origin": HERE,
        "version": ENGINES[engine].versions[0],
        "source": "openllm" if engine == "openllm" else "hub",
        "openllm_tag": "llama3.3:70b" if engine == "openllm" else None,
        "model": "meta-llama/Llama-3.3-70B-Instruct",
        "values": values,
        "origins": {name: (*HERE, name) for name in values},
        "vendor": "nvidia",
        "arch": None,
        "gpu_count": 1,
        "image": None,
        "engine_args": {},
        "env": {},
        "ready_timeout_s": 600,
        "token": None,
        "api_key": None,
    }
    return Settings(**{**plain, **changes})
