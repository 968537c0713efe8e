"""Read the Bentos that OpenLLM serves out of a checkout of bentoml/openllm-models and write bentos.json.

    git clone https://github.com/bentoml/openllm-models CHECKOUT && git -C CHECKOUT checkout f0027d6bc1a2
    python scripts/catalogs/bentos.py CHECKOUT      # a bare repository will do too

The service.py of a Bento is parsed, never run. Its arguments are the fields of the class `BentoArgs`:
`bentoml serve --arg key=value` sets those and ignores, in silence, any other key.
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from typing import Any

import yaml
from compile import CATALOG, checked

REPOSITORY = "https://github.com/bentoml/openllm-models"
ROOT = "bentoml/bentos"

Row = dict[str, Any]


def main(checkout: str) -> int:
    git = Git(checkout)
    bentos = [bento(git, directory) for directory in git.directories()]
    provenance = {
        "repository": REPOSITORY,
        "commit": git("rev-parse", "HEAD").strip(),
        "date": git("log", "-1", "--format=%cs").strip(),
        # Requirements pin what they name and nothing beneath it. As PyPI stood the day after the Bentos were
        # built they resolve to transformers 4.51; today to transformers 5, which vllm 0.8.5 never saw.
        "resolve_before": "2025-05-02",
    }
    checked("bentos", [{"provenance": provenance, "bentos": bentos}])
    rows = ",\n".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in bentos)
    (CATALOG / "bentos.json").write_text(
        f'{{"provenance":{json.dumps(provenance)},\n"bentos":[\n{rows}\n]}}\n'
    )
    print(f"wrote {len(bentos)} bentos")
    return 0


class Git:
    """The files of HEAD, without a work tree."""

    def __init__(self, checkout: str) -> None:
        self.checkout = checkout

    def __call__(self, *argv: str) -> str:
        return subprocess.run(
            ["git", "-C", self.checkout, *argv], check=True, capture_output=True, text=True
        ).stdout

    def directories(self) -> list[str]:
        listed = self("ls-tree", "-r", "-d", "--name-only", "HEAD", f"{ROOT}/").splitlines()
        return sorted(path for path in listed if path.count("/") == ROOT.count("/") + 2)

    def read(self, path: str) -> str:
        return self("show", f"HEAD:{path}")


def bento(git: Git, directory: str) -> Row:
    name, version = directory.split("/")[-2:]
    info = yaml.safe_load(git.read(f"{directory}/bento.yaml"))
    (service,) = info["services"]
    (model,) = service["models"]
    args = arguments(git.read(f"{directory}/src/service.py"))
    requirements = sorted(set(git.read(f"{directory}/env/python/requirements.txt").split()))
    pins = dict(line.split("==") for line in requirements if "==" in line)
    return {
        "tag": f"{name}:{version}",
        "aliases": [f"{name}:{alias}" for alias in info["labels"]["aliases"].split(",")],
        "hub_id": args["openllm_model_id"]["default"],
        "revision": model["metadata"]["revision"],
        "path": directory,
        "vllm": pins["vllm"],
        "bentoml": pins["bentoml"],
        "python": info["image"]["python_version"],
        "requirements": requirements,
        "gpu_type": service["config"]["resources"]["gpu_type"],
        "gpus": service["config"]["resources"]["gpu"],
        "tensor_parallel": args["tensor_parallel_size"]["default"],
        "max_model_len": args.get("max_model_len", {}).get("default"),
        "env": {env["name"]: env["value"] for env in info["envs"]},
        # Without flashinfer: its index is unpinned, and vLLM 0.8.5 does not sample with it unless asked
        # (v1/sample/ops/topk_topp_sampler.py).
        "post_commands": [line for line in info["image"]["post_commands"] if "flashinfer" not in line],
        "args": args,
    }


def arguments(source: str) -> dict[str, Row]:
    """The fields of `BentoArgs`: name -> type and default."""
    classes = [node for node in ast.parse(source).body if isinstance(node, ast.ClassDef)]
    (declared,) = [node for node in classes if node.name == "BentoArgs"]
    fields = [node for node in declared.body if isinstance(node, ast.AnnAssign) and node.value is not None]
    return {
        ast.unparse(f.target): {"type": ast.unparse(f.annotation), "default": default(f.value)}
        for f in fields
    }


def default(value: ast.expr | None) -> Any:
    """A literal, or what `Field(default_factory=lambda: … os.environ.get(NAME, literal))` falls back to."""
    assert value is not None
    try:
        literal = ast.literal_eval(value)
    except ValueError:
        calls = [
            n for n in ast.walk(value) if isinstance(n, ast.Call) and ast.unparse(n.func) == "os.environ.get"
        ]
        return ast.literal_eval(calls[0].args[1])
    # The chat templates that four Bentos carry are theirs to hold: that there is one is the fact.
    return "…" if isinstance(literal, str) and "\n" in literal else literal


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
