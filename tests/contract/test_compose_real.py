"""compose.yaml as Docker Compose itself reads it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support import plans
from support.tools import Run

from llmdeploy.plan.model import MountKind, Plan
from llmdeploy.spec.targets import Compose
from llmdeploy.targets.compose import TARGET
from llmdeploy.targets.onehost import names

pytestmark = pytest.mark.needs("docker-compose")

SECRETS = {"LLM_API_KEY": "s3cret key", "HUB_TOKEN": "hf_s3cret", "HOME": "/home/me"}
Read = Callable[..., dict[str, Any]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "out/compose"


@pytest.fixture
def read(folder: Path, compose: Run) -> Read:
    """read(plan): the project that Compose makes of it, with every `$$` read."""

    def read(plan: Plan, **environ: str) -> dict[str, Any]:
        for artifact in TARGET.emit(plan):
            path = folder.parent / artifact.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(artifact.text)
        file, known = folder / "compose.yaml", {**SECRETS, **environ}
        read = compose("-f", file, "config", "--format", "json", env=known)
        assert read.returncode == 0, read.stderr
        # What it prints is a Compose file again, in which it has doubled each `$`.
        project: dict[str, Any] = json.loads(read.stdout.replace("$$", "$"))
        return project

    return read


@pytest.mark.parametrize("plan", plans.ALL.values(), ids=plans.ALL)
def test_compose_reads_what_the_plan_says(read: Read, plan: Plan) -> None:
    """The argv, env, mounts, GPUs, shared memory, user and image of every replica."""
    project = read(plan)
    for service in plan.services:
        for index in range(service.replicas):
            engine = project["services"][names.replica(plan, service.name, index + 1)]
            secrets = {key: SECRETS[secret.env or ""] for key, secret in service.launch.secret_env.items()}
            assert (*engine["entrypoint"], *engine["command"]) == service.launch.argv
            assert engine["environment"] == {**service.launch.env, **secrets}
            assert [mount["target"] for mount in engine["volumes"]] == [m.target for m in service.mounts]
            assert [mount.get("read_only", False) for mount in engine["volumes"]] == [
                mount.read_only for mount in service.mounts
            ]
            assert engine["image"] == service.launch.image
            assert engine["shm_size"] == str(service.shm_gib << 30)
            assert engine.get("user") == (service.user and f"{service.user.uid}:{service.user.gid}")
            if service.gpus.vendor == "nvidia":
                assert _devices(engine) == [service.gpus.devices[index]]


def _devices(engine: dict[str, Any]) -> list[tuple[str, ...]]:
    reserved = engine["deploy"]["resources"]["reservations"]["devices"]
    return [tuple(each["device_ids"]) for each in reserved if each["driver"] == "nvidia"]


def test_where_mounts_come_from(read: Read, folder: Path) -> None:
    """Beside llm.yaml, in the home directory, beside compose.yaml, or a volume that docker/up.sh shares."""

    def sources(plan: Plan) -> list[str]:
        return [mount["source"] for mount in read(plan)["services"]["chat"]["volumes"]]

    assert sources(plans.LOCAL) == [str(folder.parent.parent / "my, models/one")]
    assert sources(plans.HOME) == ["/home/me/.cache/hugging face", "chat-cache"]
    assert sources(plans.TEMPLATE) == ["models", str(folder / "files/chat.jinja")]
    assert read(plans.ONE)["volumes"]["models"]["name"] == "proj-models"


def test_amd_gpus_are_device_files(read: Read) -> None:
    engine = read(plans.AMD)["services"]["chat"]
    assert [device["source"] for device in engine["devices"]] == [
        "/dev/kfd",
        "/dev/dri/renderD128",
        "/dev/dri/renderD133",
    ]
    assert engine["group_add"] == ["video"]


def test_only_the_gateway_is_reached_from_outside(read: Read) -> None:
    project = read(plans.HYBRID)
    ports = {name: service["ports"] for name, service in project["services"].items() if "ports" in service}
    assert list(ports) == ["gateway"]
    assert (ports["gateway"][0]["host_ip"], ports["gateway"][0]["published"]) == ("127.0.0.1", "8080")
    assert project["networks"]["engines"]["internal"] is True
    for service in plans.HYBRID.services:
        assert list(project["services"][service.name]["networks"]) == ["engines"]


def test_the_gateway_waits_for_every_replica(read: Read) -> None:
    project = read(plans.REPLICAS)
    assert set(project["services"]["gateway"]["depends_on"]) == {"chat", "chat-2"}
    assert project["services"]["chat-2"]["networks"]["engines"]["aliases"] == ["chat"]


def test_the_token_is_a_file_of_the_download_alone(read: Read) -> None:
    """No environment has its value, so that `docker inspect` does not show it."""
    project = read(plans.HYBRID)
    services = project["services"]
    assert [name for name in services if "secrets" in services[name]] == ["agents-download"]
    environment = services["agents-download"]["environment"]
    assert environment["HF_TOKEN_PATH"] == "/run/secrets/hf-token"
    assert SECRETS["HUB_TOKEN"] not in json.dumps(project["services"])
    weights = plans.HYBRID.services[1].mount(MountKind.WEIGHTS)
    mounts = project["services"]["agents-download"]["volumes"]
    assert weights and [(m["target"], "read_only" in m) for m in mounts] == [(weights.target, False)]


def test_a_missing_secret_is_named(compose: Run, read: Read, folder: Path) -> None:
    read(plans.HYBRID)
    refused = compose("-f", folder / "compose.yaml", "config", "-q", env={"HUB_TOKEN": "x"})
    assert refused.returncode != 0
    assert "set it to secret api-key" in refused.stderr


def test_the_example_of_env_has_every_variable(compose: Run, read: Read, folder: Path) -> None:
    read(plans.HYBRID)
    example = folder / ".env.example"
    (folder / ".env").write_text(example.read_text().replace("=\n", "=filled\n"))
    judged = compose("-f", folder / "compose.yaml", "config", "--format", "json")
    assert json.loads(judged.stdout)["services"]["agents"]["environment"]["ONE_API_KEY"] == "filled"


def test_a_variable_in_an_override_is_filled_in(read: Read) -> None:
    """Who writes `${X}` there means it; everywhere else a dollar is a dollar."""
    overrides = {"services": {"chat": {"environment": {"OWN": "${X}"}}}}
    plan = plans.plan(
        plans.service(launch=plans.launch(env={"KEPT": "${X}"})),
        options={"compose": Compose(overrides=overrides)},
    )
    assert read(plan, X="filled")["services"]["chat"]["environment"] == {"KEPT": "${X}", "OWN": "filled"}
