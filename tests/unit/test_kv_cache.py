"""A KV cache in NVFP4: which releases take it, and what reads it."""

from __future__ import annotations

import pytest
from support.specs import compiled


def codes(gpu: str, version: str, source: str = "Qwen/Qwen3-8B") -> list[str]:
    found = compiled(
        {
            "version": 1,
            "name": "demo",
            "gpus": {"gpu": {"type": gpu, "count": 1}},
            "models": {
                "chat": {
                    "source": source,
                    "engine": "vllm",
                    "engine_version": version,
                    "context": 8192,
                    "kv_cache": {"dtype": "nvfp4"},
                }
            },
            "routes": [{"path": "/chat", "model": "chat"}],
        },
        ["docker"],
        emit=False,
    )
    return [each.code for each in found.diagnostics if each.severity == "error"]


@pytest.mark.parametrize(
    ("gpu", "version", "expected"),
    [
        ("b200", "0.33.0", []),
        ("h100-sxm-80gb", "0.33.0", []),
        ("h100-sxm-80gb", "0.32.0", []),
        # Of releases that were not read, SM100 alone is believed.
        ("h100-sxm-80gb", "0.25.0", ["LD549"]),
        ("b200", "0.25.0", []),
        # The flag has no such choice yet.
        ("b200", "0.19.0", ["LD309"]),
        ("mi300x", "0.33.0", ["LD309"]),
    ],
)
def test_nvfp4_is_taken_where_it_is_read(gpu: str, version: str, expected: list[str]) -> None:
    assert codes(gpu, version) == expected
