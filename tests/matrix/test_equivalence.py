"""Every target runs the same thing: argv, environment, image, port, GPUs, shared memory, mounts, download.

Read back out of the artifacts by the tools of each target's users, and compared with the plan.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from itertools import product
from pathlib import Path

import pytest
from support import outside, readback, specs
from support.readback import NAMES_DEVICES, READERS

pytestmark = pytest.mark.usefixtures("installed_outside")

# What an engine has no image or no setting for; the compiler must say so.
REFUSED = {
    ("openllm", "cpu"): "LD307",
    ("openllm", "api-key"): "LD307",
    ("openllm", "chat-template"): "LD307",
    ("tgi", "chat-template"): "LD307",
}
CASES = [
    *((engine, accelerator, ()) for engine, accelerator in product(specs.ENGINES, specs.ACCELERATORS)),
    *((engine, "four", (feature,)) for engine, feature in product(specs.ENGINES, specs.FEATURES)),
    *((engine, "one", ("two-replicas", "token", "storage-path")) for engine in specs.ENGINES),
]


def is_refused(engine: str, accelerator: str, features: tuple[str, ...]) -> bool:
    return any((engine, what) in REFUSED for what in (accelerator, *features))


@pytest.mark.parametrize(
    ("engine", "accelerator", "features"),
    [pytest.param(*case, id="-".join((*case[:2], *case[2]))) for case in CASES if not is_refused(*case)],
)
def test_every_target_runs_what_the_plan_says(engine, accelerator, features, tmp_path):
    data = specs.spec(engine, accelerator, *features)
    built = specs.build(data, tmp_path, READERS)
    for target in READERS:
        seen = readback.read(target, built.plan, tmp_path)
        assert seen == readback.expected(built.plan, devices=target in NAMES_DEVICES), target


@pytest.mark.parametrize("example", specs.examples())
def test_examples_run_the_same_in_every_target(example, tmp_path):
    result = specs.compile_example(example)
    built = specs.written(result, tmp_path)
    targets = [target for target in READERS if (tmp_path / target).is_dir()]
    assert targets
    for target in targets:
        seen = readback.read(target, built.plan, tmp_path)
        assert seen == readback.expected(built.plan, devices=target in NAMES_DEVICES), target


@pytest.mark.parametrize(("engine", "what"), REFUSED)
def test_what_an_engine_lacks_is_said(engine, what):
    data = specs.spec(engine, what) if what in specs.ACCELERATORS else specs.spec(engine, "one", what)
    assert REFUSED[engine, what] in [found.code for found in specs.compiled(data, emit=False).diagnostics]


def test_no_two_replicas_share_a_device(tmp_path):
    """Nor do two models of one pool."""
    data = specs.spec("vllm-0.33.0", "one", "two-replicas")
    data["models"]["other"] = {**data["models"]["chat"], "gpus": 2}
    built = specs.build(data, tmp_path, NAMES_DEVICES)
    for target in NAMES_DEVICES:
        models = readback.read(target, built.plan, tmp_path).values()
        devices = [device for model in models for replica in model.replicas for device in replica.devices]
        assert len(devices) == 6
        assert len(set(devices)) == 6


def test_models_share_a_device_where_they_say_so(tmp_path):
    data = specs.spec("vllm-0.33.0")
    data["models"]["chat"]["gpus"] = {"share": 0.6}
    data["models"]["other"] = {**data["models"]["chat"], "gpus": {"share": 0.4}}
    data["models"]["alone"] = {**data["models"]["chat"], "gpus": 1}
    built = specs.build(data, tmp_path, NAMES_DEVICES)
    for target in NAMES_DEVICES:
        models = readback.read(target, built.plan, tmp_path)
        assert {name: model.replicas[0].devices for name, model in models.items()} == {
            "chat": ("0",),
            "other": ("0",),
            "alone": ("1",),
        }
        assert models == readback.expected(built.plan)


def test_the_command_line_takes_engines_and_targets_from_outside(installed_outside, tmp_path):
    data = {**specs.spec("acme"), "targets": {"acme": {"region": "there"}}}
    (tmp_path / "llm.yaml").write_text(json.dumps(data))
    tests = Path(outside.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-m", "llmdeploy", "build"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": f"{installed_outside}{os.pathsep}{tests}"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    written = json.loads((tmp_path / "out/acme/acme.json").read_text())
    assert written["region"] == "there"
    assert written["services"]["chat"]["argv"][:2] == ["acme", "serve"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir() if path.is_dir()) == ["acme"]


def test_options_of_a_target_from_outside_are_judged():
    data = {**specs.spec("acme"), "targets": {"acme": {"regoin": "there"}}}
    (found,) = specs.compiled(data, ("acme",)).diagnostics
    assert (found.code, found.path) == ("LD101", ("targets", "acme", "regoin"))
