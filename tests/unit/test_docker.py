"""What the docker target, and the checks that it shares with Compose, say of a plan."""

from __future__ import annotations

import re

import pytest
from msgspec.structs import replace
from support import plans

from llmdeploy.plan.model import Gateway, Gpus, Plan, Secret
from llmdeploy.spec.targets import Docker
from llmdeploy.targets.docker import TARGET
from llmdeploy.targets.docker.arguments import host_path


def found(plan: Plan) -> list[tuple[str, tuple[str | int, ...]]]:
    return [(diagnostic.code, diagnostic.path) for diagnostic in TARGET.check(plan)]


@pytest.mark.parametrize("plan", plans.ALL.values(), ids=plans.ALL)
def test_it_takes_every_plan(plan: Plan) -> None:
    assert found(plan) == []
    assert all(artifact.path.startswith("docker/") for artifact in TARGET.emit(plan))


def test_a_secret_needs_a_variable_of_the_host() -> None:
    secret = Secret("api-key", None, ("llm", "key"), ("secrets", "api-key"))
    plan = plans.plan(plans.service(launch=plans.launch(secret_env={"KEY": secret})))
    assert found(plan) == [("LD402", ("secrets", "api-key"))]


@pytest.mark.parametrize(
    ("gpus", "path"),
    [
        (Gpus("mig", "nvidia", 1, "nvidia.com/mig-1g.10gb"), ("gpus", "mig")),
        (plans.gpus(["GPU-1"], vendor="amd"), ("gpus", "pool", "devices")),
        (plans.gpus(["0"], vendor="intel"), ("gpus", "pool")),
    ],
    ids=["slices without names", "AMD by UUID", "a vendor unknown to docker"],
)
def test_devices_that_cannot_be_handed_over(gpus: Gpus, path: tuple[str, ...]) -> None:
    assert found(plans.plan(plans.service(gpus=gpus))) == [("LD401", path)]


@pytest.mark.parametrize(
    ("bind", "auth", "warned"),
    [("0.0.0.0", None, True), ("::", None, True), ("0.0.0.0", plans.API_KEY, False), ("::1", None, False)],
)
def test_an_open_gateway_is_a_warning(bind: str, auth: Secret | None, warned: bool) -> None:
    plan = replace(plans.ONE, gateway=Gateway(auth=auth), options={"docker": Docker(bind=bind)})
    assert found(plan) == ([("LD514", ("targets", "docker", "bind"))] if warned else [])


def test_host_and_tls_are_left_to_a_proxy() -> None:
    plan = replace(plans.ONE, gateway=Gateway(host="llm.example.com", tls_secret="llm-tls"))
    assert found(plan) == [("LD407", ("gateway", "host")), ("LD407", ("gateway", "tls"))]


@pytest.mark.parametrize(
    ("bind", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8080"),
        ("0.0.0.0", "http://127.0.0.1:8080"),
        ("::1", "http://[::1]:8080"),
    ],
)
def test_the_guide_names_an_address_that_can_be_reached(bind: str, url: str) -> None:
    assert TARGET.guide(replace(plans.ONE, options={"docker": Docker(bind=bind)})).base_url == url


def test_ipv6_is_published_in_brackets() -> None:
    plan = replace(plans.ONE, options={"docker": Docker(bind="::1", port=80)})
    script = next(artifact.text for artifact in TARGET.emit(plan) if artifact.path == "docker/up.sh")
    assert "--publish '[::1]:80:8080'" in script


def test_who_shares_a_card_starts_when_those_before_it_are_ready() -> None:
    script = next(each.text for each in TARGET.emit(plans.SHARED) if each.path == "docker/up.sh")
    steps = re.findall(r"^(start|wait_healthy) proj-(\S+)", script, re.MULTILINE)
    assert steps == [
        ("start", "first"),
        ("start", "first-2"),
        ("wait_healthy", "first"),
        ("wait_healthy", "first-2"),
        ("start", "second"),
        ("start", "third"),
        ("wait_healthy", "second"),
        ("wait_healthy", "third"),
        ("start", "gateway"),
        ("wait_healthy", "gateway"),
    ]


@pytest.mark.parametrize(
    ("path", "shell"),
    [("~/a b", "\"$HOME\"/'a b'"), ("/srv/$x", "'/srv/$x'"), ("../../m", '"$here"/../../m')],
)
def test_paths_of_the_host(path: str, shell: str) -> None:
    assert host_path(path) == shell
