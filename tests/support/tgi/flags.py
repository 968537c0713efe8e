"""The launcher's flags: their names and types from tests/data, their order and defaults from `struct Args`.

A value is read as Rust reads it, and refused in clap's words.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DATA = json.loads((Path(__file__).parents[2] / "data/tgi-3.3.7.json").read_text())

# In the order of the struct: clap reads the environment in it, and the log shows it.
_DEFAULTS: dict[str, str | None] = {
    "model_id": "bigscience/bloom-560m",
    "revision": None,
    "validation_workers": "2",
    "sharded": None,
    "num_shard": None,
    "quantize": None,
    "speculate": None,
    "dtype": None,
    "kv_cache_dtype": None,
    "trust_remote_code": None,
    "max_concurrent_requests": "128",
    "max_best_of": "2",
    "max_stop_sequences": "4",
    "max_top_n_tokens": "5",
    "max_input_tokens": None,
    "max_input_length": None,
    "max_total_tokens": None,
    "waiting_served_ratio": "0.3",
    "max_batch_prefill_tokens": None,
    "max_batch_total_tokens": None,
    "max_waiting_tokens": "20",
    "max_batch_size": None,
    "cuda_graphs": None,
    "hostname": "0.0.0.0",
    "port": "3000",
    "prometheus_port": "9000",
    "shard_uds_path": "/tmp/text-generation-server",
    "master_addr": "localhost",
    "master_port": "29500",
    "huggingface_hub_cache": None,
    "weights_cache_override": None,
    "disable_custom_kernels": None,
    "cuda_memory_fraction": "1.0",
    "rope_scaling": None,
    "rope_factor": None,
    "json_output": None,
    "otlp_endpoint": None,
    "otlp_service_name": "text-generation-inference.router",
    "cors_allow_origin": None,
    "api_key": None,
    "watermark_gamma": None,
    "watermark_delta": None,
    "ngrok": None,
    "ngrok_authtoken": None,
    "ngrok_edge": None,
    "tokenizer_config_path": None,
    "disable_grammar_support": None,
    "env": None,
    "max_client_batch_size": "4",
    "lora_adapters": None,
    "usage_stats": "on",
    "payload_limit": "2000000",
    "enable_prefill_logprobs": None,
    "graceful_termination_timeout": "90",
}
# `-p` is declared twice; a release build of clap gives it to the first.
SHORT = {"-p": "port", "-e": "env", "-g": "graceful_termination_timeout"}
_FLOAT = re.compile(r"[+-]?(inf|infinity|nan|(\d+\.?\d*|\.\d+)(e[+-]?\d+)?)", re.IGNORECASE | re.ASCII)


class Invalid(ValueError):  # noqa: N818  said of a value
    """A value is not of its type. `possible`: the values that are, where they are few."""

    def __init__(self, reason: str, possible: tuple[str, ...] = ()) -> None:
        super().__init__(reason)
        self.possible = possible


@dataclass(frozen=True, slots=True)
class Flag:
    """`kind` is the Rust type of one value. A `switch` takes none on the command line."""

    name: str
    kind: str
    default: str | None
    optional: bool
    many: bool

    @property
    def variable(self) -> str | None:
        # The one that prints the environment is not read from it.
        return None if self.name == "env" else self.name.upper()

    @property
    def switch(self) -> bool:
        return self.kind == "bool" and not self.optional

    @property
    def delimiter(self) -> str | None:
        return "," if self.name == "cuda_graphs" else None

    @property
    def long(self) -> str:
        return "--" + self.name.replace("_", "-")

    def __str__(self) -> str:
        return self.long if self.switch else f"{self.long} <{self.name.upper()}>"

    @property
    def possible(self) -> tuple[str, ...]:
        return ("true", "false") if self.kind == "bool" else tuple(DATA["enums"].get(self.kind, ()))

    def parse(self, text: str) -> Any:
        """Return one value, or raise Invalid."""
        if possible := self.possible:
            if text not in possible:
                raise Invalid("", possible)
            return text == "true" if self.kind == "bool" else text
        if self.kind == "String":
            return text
        return _float(text) if self.kind == "f32" else _integer(text, self.kind)


def _flag(name: str, default: str | None) -> Flag:
    kind = DATA["variables"].get(name.upper(), "bool")
    optional, many = kind.startswith("Option<"), "Vec<" in kind
    return Flag(name, re.sub(r"\w+<|>", "", kind), default, optional, many)


FLAGS = {name: _flag(name, default) for name, default in _DEFAULTS.items()}


def _integer(text: str, kind: str) -> int:
    bits = 64 if kind == "usize" else int(kind[1:])
    # clap reads the small ones as i64 first, and only then looks at their range.
    small = bits < 64
    if not text:
        raise Invalid("cannot parse integer from empty string")
    if not re.fullmatch(r"[+-]?\d+" if small else r"\+?\d+", text, re.ASCII):
        raise Invalid("invalid digit found in string")
    value, largest = int(text), (1 << bits) - 1
    if value >= 1 << (63 if small else 64):
        raise Invalid("number too large to fit in target type")
    if not 0 <= value <= largest:
        raise Invalid(f"{value} is not in 0..={largest}")
    return value


def _float(text: str) -> float:
    if not text:
        raise Invalid("cannot parse float from empty string")
    if not _FLOAT.fullmatch(text):
        raise Invalid("invalid float literal")
    return float(text)
