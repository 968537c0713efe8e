"""The rooms of the house, and the doors between them. docs/architecture.md says why."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmdeploy import registry

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "llmdeploy"
TEMPLATES = ROOT / "templates"
MODULES = sorted(PACKAGE.rglob("*.py"))

# A room -> what of llmdeploy it may import, beside itself. The longest name that fits a module is its room.
DOORS: dict[str, set[str]] = {
    "numbers": set(),
    "resources": {"__init__"},
    "yaml_nodes": {"diagnostics"},
    "source": {"numbers", "yaml_nodes", "diagnostics.model"},
    "diagnostics": {"source"},
    "catalog": {"resources"},
    "spec": {"source", "numbers", "diagnostics"},
    "memory": {"catalog.tensors", "catalog.versions"},
    "emit": {"resources"},
    "emit.readme": {"emit", "plan.model", "targets.base"},
    "facts": {"catalog", "memory.model", "spec.model", "runtime.runner"},
    "facts.config": {"catalog", "facts", "memory.config", "memory.errors", "memory.rope"},
    "facts.kinds": {"facts", "memory.config"},
    "facts.calibration": {"emit.yaml", "facts", "memory.corrections", "source"},
    "plan.model": {"memory.model"},
    "plan.document": {"memory.model", "plan.model"},
    "plan.hardware": {"catalog", "spec.model"},
    "plan.packing": set(),
    "plan.placement": {"plan.hardware", "plan.packing", "spec.model"},
    "plan.policy": {"catalog", "plan.model"},
    "plan.choice": {"catalog", "checks", "diagnostics", "plan"},
    "plan.sizing": {"checks.context", "engines.base", "memory", "plan", "spec"},
    "plan.defaults": {"checks.context", "plan"},
    "plan.fit": {"checks.context", "diagnostics", "facts.gather", "memory", "plan", "spec"},
    "plan.crowding": {"checks.context", "diagnostics", "plan"},
    "plan.restarts": {"checks.context", "diagnostics", "memory", "plan"},
    "plan.sharing": {"checks.context", "diagnostics", "memory", "plan"},
    "plan.trial": {"checks", "diagnostics", "memory", "plan", "spec.model"},
    "plan.ways_back": {"memory", "plan"},
    "plan.ways_beside": {"plan"},
    "plan.ways_of_cards": {"catalog", "memory", "plan", "spec.types"},
    "plan.ways_of_splits": {"plan"},
    "plan.ways_to_seats": {"checks.context", "plan"},
    "plan.ways_out": {"checks.context", "plan"},
    "plan.settings": {"memory.model", "checks.context", "engines.base", "plan", "spec.model"},
    "plan.values": {"checks.context", "diagnostics", "engines.base", "plan", "spec.model"},
    "plan.startup": {"checks.context", "diagnostics", "engines.base", "memory", "plan"},
    "plan.parallelism": {"catalog", "engines.limits", "spec.model"},
    "plan.quantization": {"catalog", "engines.limits", "plan.hardware"},
    "plan.reasons": {"catalog", "engines.limits", "plan.hardware", "plan.model", "spec.model"},
    "plan.resolve": {"checks", "diagnostics", "engines.base", "plan", "spec.model"},
    "engines": {
        *("catalog", "diagnostics", "memory", "numbers", "plan.model", "resources"),
        *("emit.shell", "emit.hashes"),
    },
    "checks": {
        *("catalog", "diagnostics", "engines.base", "engines.limits", "facts", "numbers", "plan", "spec"),
        *(
            "memory.contradictions",
            "memory.needs",
            "memory.corrections",
            "memory.crosscheck",
            "memory.model",
            "memory.overrides",
        ),
        *("targets.base",),
    },
    "gateways": {"plan.model", "emit"},
    "targets": {"plan.model", "gateways", "emit", "diagnostics", "spec.targets", "resources"},
    "registry": {"engines.base", "targets.base"},
    "starter": {"catalog", "emit", "engines.limits", "facts", "numbers", "plan.parallelism"},
    "runtime": {"plan.model", "emit", "diagnostics", "gateways"},
    "runtime.deploy": {"runtime", "plan.model", "emit", "diagnostics", "gateways", "targets", "spec.targets"},
    "runtime.oracle": {
        *("runtime", "plan.model", "plan.hardware", "diagnostics", "engines", "registry", "spec.model")
    },
    "show": {
        "__init__",
        "diagnostics",
        "emit",
        "memory.model",
        "memory.sizes",
        "plan.hardware",
        "plan.model",
        "plan.packing",
    },
    "compiler": {
        *("checks", "diagnostics", "emit", "facts", "plan", "registry", "source", "spec", "targets.base")
    },
    "startlog": {"runtime.logs"},
    "calibration": {
        "catalog",
        "engines.base",
        "facts",
        "memory",
        "plan.defaults",
        "plan.model",
        "registry",
        "startlog",
    },
    "rewrite": {
        *("catalog", "checks.context", "compiler", "diagnostics", "emit.shell", "emit.yaml", "facts"),
        *("engines.arguments", "engines.limits", "engines.lowering", "engines.table", "numbers"),
        *("plan.model", "registry", "source", "spec.model"),
    },
    "cli": {
        *("__init__", "catalog", "compiler", "diagnostics", "emit", "facts", "plan", "registry", "resources"),
        *("rewrite", "runtime", "show", "source", "spec.schema", "starter", "targets.base"),
        *("calibration", "memory", "startlog"),
    },
    "__main__": {"cli"},
    "__init__": {"compiler", "facts"},
}
# What has one job has one place.
ONLY_HERE = {
    "subprocess": {"runtime/runner.py"},
    "jinja2": {"emit/template.py"},
    "shlex": {"emit/shell.py"},
    "ruamel": {"starter/text.py"},
}
# Not an engine or a target of its own, but what several of them are made with.
SHARED = {"base", "onehost", "arguments"}
# Helm is Kubernetes' values, printed; OpenLLM starts vLLM.
BORROWS = {("helm", "kubernetes"), ("openllm", "vllm")}


def name_of(module: Path) -> str:
    """llmdeploy/targets/base.py -> targets.base; a package's own file goes by the package's name."""
    parts = module.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)


NAMES = {name_of(module) for module in MODULES}


def imports(module: Path) -> Iterator[str]:
    """Every module that is imported, also inside functions; those for type checkers alone do not run."""
    tree = ast.parse(module.read_text(encoding="utf-8"))
    skipped = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and "TYPE_CHECKING" in ast.unparse(block.test)
        for node in ast.walk(block)
    }
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{module}: relative import"
            whole = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (one if one.removeprefix("llmdeploy.") in NAMES else str(node.module) for one in whole)


def ours(module: Path) -> Iterator[str]:
    for name in imports(module):
        if name.split(".")[0] == "llmdeploy":
            yield name.partition(".")[2] or "__init__"


def within(name: str, room: str) -> bool:
    return name == room or name.startswith(f"{room}.")


def room_of(name: str) -> str:
    return max((room for room in DOORS if within(name, room)), key=len, default="")


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_imports_go_through_doors(module):
    room = room_of(name_of(module))
    assert room or name_of(module) in ("plan",), "a room without doors: say what it may import"
    allowed = {room, *DOORS.get(room, ())}
    forbidden = {name for name in ours(module) if not any(within(name, door) for door in allowed)}
    assert not forbidden


def test_every_room_is_there():
    assert not {room for room in DOORS if not any(within(name, room) for name in NAMES)}


@pytest.mark.parametrize("kind", ["engines", "targets"])
def test_neighbours_never_meet(kind):
    """An engine knows no other engine and no target, a target no engine and no other target."""
    other = {"engines": "targets", "targets": "engines"}[kind]
    names = {path.name for path in (PACKAGE / kind).iterdir() if (path / "__init__.py").exists()}
    for module in (PACKAGE / kind).rglob("*.py"):
        mine = module.relative_to(PACKAGE / kind).parts[0]
        for name in ours(module):
            assert not within(name, other), module
            if within(name, kind) and len(name.split(".")) > 1:
                neighbour = name.split(".")[1]
                met = neighbour in names - {mine} - SHARED
                assert not met or (mine, neighbour) in BORROWS, module


@pytest.mark.parametrize("library", ONLY_HERE)
def test_each_library_has_one_place(library):
    users = {m.relative_to(PACKAGE).as_posix() for m in MODULES if library in _roots(m)}
    assert users <= ONLY_HERE[library]


def _roots(module: Path) -> set[str]:
    return {name.split(".")[0] for name in imports(module)}


def test_one_writer_of_yaml():
    writes = re.compile(r"\byaml\.(safe_)?(dump|serialize|emit)")
    writers = [
        module.relative_to(PACKAGE).as_posix()
        for module in MODULES
        if "yaml" in _roots(module) and writes.search(module.read_text(encoding="utf-8"))
    ]
    assert writers == ["emit/yaml.py"]


def test_no_yaml_is_made_by_a_template():
    for path in TEMPLATES.rglob("*"):
        if path.is_file() and "helm" not in path.relative_to(TEMPLATES).parts:
            assert not re.search(r"\.ya?ml(\.j2)?$", path.name), path
            assert "apiVersion:" not in path.read_text(encoding="utf-8"), path


def test_no_target_knows_an_engine():
    """By name, that is: in a string or in a template. Comments may give an example."""
    engine = re.compile(rf"\b({'|'.join(registry.ENGINES.built_in)})\b", re.IGNORECASE)
    for folder in ("targets", "gateways", "emit"):
        for module in (PACKAGE / folder).rglob("*.py"):
            tree = ast.parse(module.read_text(encoding="utf-8"))
            documented = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
            for node in ast.walk(tree):
                if (
                    isinstance(node, ast.Constant)
                    and isinstance(node.value, str)
                    and id(node) not in documented
                ):
                    assert not engine.search(node.value), f"{module}:{node.lineno}"
    for path in TEMPLATES.rglob("*"):
        if path.is_file():
            assert not engine.search(_without_comments(path.read_text(encoding="utf-8"))), path


def test_the_ledger_knows_no_engine():
    """What is an engine's own comes with the question; prose may give an example."""
    names = set(registry.ENGINES.built_in)
    for module in (PACKAGE / "memory").rglob("*.py"):
        tree = ast.parse(module.read_text(encoding="utf-8"))
        words = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
        assert not words & names, module


def _without_comments(text: str) -> str:
    return re.sub(r"(?s)\{\{-?\s*/\*.*?\*/\s*-?\}\}|\{#.*?#\}|^\s*#[^\n]*", "", text, flags=re.MULTILINE)
