"""llm.yaml for tests, as data: one model on one engine, and what a case adds to it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from llmdeploy import compile
from llmdeploy.compiler import Result
from llmdeploy.emit.write import write
from llmdeploy.facts import Facts
from llmdeploy.facts.gather import gather
from llmdeploy.plan.model import Plan
from llmdeploy.plan.policy import Policy

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
TARGETS = ("docker", "compose", "kubernetes", "helm")
TEMPLATES = {"./chat.jinja": "{%- for m in messages %}{{ m['role'] }}: $HOME {{ '{{' }}\n{% endfor %}"}

Data = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Built:
    """A compiled spec; its artifacts lie below `folder`."""

    plan: Plan
    folder: Path


SECRETS = {
    "hf-token": {"env": "MY_HUB_TOKEN", "kubernetes": {"name": "hub", "key": "token"}},
    "api-key": {"env": "MY_API_KEY", "kubernetes": {"name": "llm", "key": "api"}},
}

# Engine and version -> what its model is.
ENGINES: dict[str, Data] = {
    "vllm-0.33.0": {"engine": "vllm", "source": "Qwen/Qwen2.5-7B-Instruct"},
    "vllm-0.32.0": {"engine": "vllm", "source": "Qwen/Qwen2.5-7B-Instruct", "engine_version": "0.32.0"},
    "sglang": {"engine": "sglang", "source": "Qwen/Qwen2.5-7B-Instruct"},
    "tgi": {"engine": "tgi", "source": "Qwen/Qwen2.5-7B-Instruct"},
    "openllm": {
        "engine": "openllm",
        "source": {"openllm": "qwen2.5-coder:7b"},
        "image": "registry.example/coder:1",
    },
    "acme": {"engine": "acme", "source": "Qwen/Qwen2.5-7B-Instruct"},
}
ACCELERATORS: dict[str, Data] = {
    "one": {"gpus": {"pool": {"type": "h100-sxm-80gb", "count": 8}}, "models": {"chat": {"gpus": 1}}},
    "four": {"gpus": {"pool": {"type": "h100-sxm-80gb", "count": 8}}, "models": {"chat": {"gpus": 4}}},
    "amd": {"gpus": {"pool": {"type": "mi300x", "count": 8}}, "models": {"chat": {"gpus": 2}}},
    "cpu": {"gpus": {"pool": {"type": "cpu", "memory": "32GiB"}}, "models": {"chat": {"gpus": 1}}},
}
FEATURES: dict[str, Data] = {
    "chat-template": {"models": {"chat": {"chat_template": "./chat.jinja"}}},
    "two-replicas": {
        "models": {"chat": {"replicas": 2}},
        "storage": {"cache": {"access": "ReadWriteMany"}},
    },
    "api-key": {"secrets": {"api-key": SECRETS["api-key"]}, "gateway": {"auth": "api-key"}},
    "token": {"secrets": {"hf-token": SECRETS["hf-token"]}, "models": {"chat": {"token": "hf-token"}}},
    "storage-path": {"storage": {"cache": {"path": "~/hub cache"}}},
    "shared-cache": {"storage": {"cache": {"access": "ReadWriteMany", "class": "fast", "size": "1TiB"}}},
    "no-routes": {"routes": []},
}


def spec(engine: str, accelerator: str = "one", *features: str) -> dict[str, Any]:
    base = {
        "version": 1,
        "name": "proj",
        "models": {"chat": {**ENGINES[engine], "context": 4096}},
        "routes": [{"path": "/chat", "model": "chat"}],
    }
    return merge(base, ACCELERATORS[accelerator], *(FEATURES[name] for name in features))


def merge(base: Data, *others: Data) -> dict[str, Any]:
    """Mappings key by key, anything else as the last one says."""
    merged = dict(base)
    for other in others:
        for key, value in other.items():
            both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
            merged[key] = merge(merged[key], value) if both else value
    return merged


def compiled(
    data: Data,
    targets: Iterable[str] = TARGETS,
    *,
    files: Mapping[str, str] = TEMPLATES,
    emit: bool = True,
    policy: Policy = "maintained",
) -> Result:
    """Compile data, beside which stand `files`."""
    return compile(yaml_of(data), tuple(targets), Facts(files=files), emit=emit, policy=policy)


def yaml_of(data: Data) -> str:
    """JSON is YAML, but for characters that YAML wants escaped, and escapes them in one piece."""
    text = json.dumps(data, ensure_ascii=False)
    return re.sub(r"[^\x20-\x7e]", lambda found: f"\\U{ord(found[0]):08x}", text)


def build(
    data: Data, folder: Path, targets: Iterable[str] = TARGETS, *, files: Mapping[str, str] = TEMPLATES
) -> Built:
    return written(compiled(data, targets, files=files), folder)


def examples() -> list[str]:
    return sorted(path.parent.name for path in EXAMPLES.glob("*/llm.yaml"))


def data_of(example: str) -> dict[str, Any]:
    data: dict[str, Any] = yaml.safe_load((EXAMPLES / example / "llm.yaml").read_text(encoding="utf-8"))
    return data


def targets_of(example: str) -> tuple[str, ...]:
    return tuple(data_of(example).get("targets", TARGETS))


def compile_example(example: str, data: Data | None = None) -> Result:
    """Compile an example as `llmdeploy build` does in its directory; with `data` instead of its llm.yaml."""
    home = EXAMPLES / example
    text = (home / "llm.yaml").read_text(encoding="utf-8") if data is None else json.dumps(data)
    return compile(text, None, lambda parsed: gather(parsed, home, home / "out"))


def written(result: Result, folder: Path) -> Built:
    errors = [f"{d.code} {d.path}: {d.message}" for d in result.diagnostics if d.severity == "error"]
    assert not errors and result.plan, errors
    write(result.artifacts, folder)
    return Built(result.plan, folder)
