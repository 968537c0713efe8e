"""`apply` with docker and Compose, on a machine that only says what docker would say."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from support import plans

from llmdeploy.plan.model import Plan
from llmdeploy.runtime.deploy import onehost
from llmdeploy.runtime.deploy.compose import Compose
from llmdeploy.runtime.deploy.docker import DockerScripts
from llmdeploy.runtime.deploy.model import Action, Failed
from llmdeploy.runtime.runner import Completed, NotInstalled

PLAN = plans.plan(plans.service("one"), plans.service("two", gpus=plans.gpus(["1"])))
NAMES = ("proj-one", "proj-two", "proj-gateway")


def container(name: str, mark: str, **state: Any) -> dict[str, Any]:
    """What `docker inspect` says of one that is well."""
    restarts = state.pop("restarts", 0)
    health = state.pop("health", "healthy")
    return {
        "Id": f"id-{name}",
        "Name": f"/{name}",
        "State": {"Status": "running", "ExitCode": 0, "Health": {"Status": health}, **state},
        "RestartCount": restarts,
        "Config": {"Labels": {"io.llmdeploy.spec": mark, "com.docker.compose.config-hash": mark}},
        "NetworkSettings": {"Networks": {"proj-engines": {"IPAddress": "172.18.0.2"}}},
    }


@dataclass
class Process:
    """A program whose end is known beforehand."""

    log: Path
    status: int | None

    def signal(self, number: signal.Signals) -> None:
        pass

    def reap(self, timeout: float) -> bool:
        return True


@dataclass
class Machine:
    """`ended` is the status of whoever starts the containers, and `said` what it printed."""

    containers: list[dict[str, Any]] = field(default_factory=list)
    answers: dict[str, Completed | Exception] = field(default_factory=dict)
    log: str = ""
    ended: int | None = 0
    said: str = ""
    ran: list[tuple[str, ...]] = field(default_factory=list)

    def run(self, argv: Sequence[str], timeout: float) -> Completed:
        self.ran.append(tuple(argv))
        line = " ".join(argv)
        for beginning, answer in self.answers.items():
            if line.startswith(beginning):
                if isinstance(answer, Exception):
                    raise answer
                return answer
        match tuple(argv)[1]:
            case "version":
                return Completed(0, "28.0.0\n", "")
            case "ps":
                return Completed(0, "\n".join(each["Id"] for each in self.containers), "")
            case "inspect":
                return Completed(0, json.dumps(self.containers), "")
            case "logs":
                return Completed(0, "", self.log)
        return Completed(0, "", "")

    def start(self, argv: Sequence[str], log: Path) -> Process:
        self.ran.append(tuple(argv))
        log.write_text(self.said)
        return Process(log, self.ended)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onehost, "_PERIOD_S", 0)


def host(machine: Machine, plan: Plan = PLAN) -> DockerScripts:
    return DockerScripts(plan, Path("out"), machine)


def well(*names: str) -> list[dict[str, Any]]:
    wanted = host(Machine()).wanted()
    return [container(name, wanted[name].mark) for name in names]


def changes(*containers: dict[str, Any]) -> list[tuple[Action, str]]:
    return [(each.action, each.what) for each in host(Machine(list(containers))).changes().items]


def test_everything_is_new_where_nothing_is() -> None:
    assert changes() == [(Action.CREATE, name) for name in NAMES]


def test_what_is_as_it_shall_be_is_no_change() -> None:
    assert changes(*well(*NAMES)) == []


@pytest.mark.parametrize(
    ("broken", "action"),
    [
        (container("proj-two", "another"), Action.RESTART),
        (lambda mark: container("proj-two", mark, Status="exited", ExitCode=1), Action.RESTART),
        (lambda mark: container("proj-two", mark, health="unhealthy"), Action.RESTART),
        (lambda mark: container("proj-two", mark, health="starting", restarts=3), Action.RESTART),
        (lambda mark: container("proj-two", mark, health="starting"), Action.UPDATE),
    ],
)
def test_only_what_differs_changes(
    broken: dict[str, Any] | Callable[[str], dict[str, Any]], action: Action
) -> None:
    if callable(broken):
        broken = broken(host(Machine()).wanted()["proj-two"].mark)
    assert changes(*well("proj-one", "proj-gateway"), broken) == [(action, "proj-two")]


def test_what_llm_yaml_has_no_more_is_removed() -> None:
    assert changes(*well(*NAMES), container("proj-old", "x")) == [(Action.REMOVE, "proj-old")]


def test_a_download_that_is_done_is_no_change() -> None:
    done = container("proj-one-download", "x", Status="exited")
    assert changes(*well(*NAMES), done) == []


def failure(machine: Machine, limit_s: float | None = None, restarts: int = 2) -> Failed:
    with pytest.raises(Failed) as caught:
        DockerScripts(PLAN, Path("out"), machine, restarts).apply(lambda message: None, limit_s)
    return caught.value


def test_it_ends_when_all_are_ready() -> None:
    machine = Machine(well(*NAMES))
    host(machine).apply(print)
    assert ("bash", "out/docker/up.sh") in machine.ran


def test_one_that_hangs_is_removed_first_so_that_it_is_made_anew() -> None:
    hung = container("proj-two", host(Machine()).wanted()["proj-two"].mark, health="unhealthy")
    machine = Machine([*well("proj-one", "proj-gateway"), hung])
    failure(machine, limit_s=1e-9)
    removed = machine.ran.index(("docker", "rm", "--force", "id-proj-two"))
    assert removed < machine.ran.index(("bash", "out/docker/up.sh"))


def test_an_engine_that_ends_again_and_again_is_given_up_with_its_own_reason() -> None:
    looping = container("proj-two", host(Machine()).wanted()["proj-two"].mark, health="starting")
    machine = Machine([*well("proj-one"), looping], log="loading\nValueError: no such parser\n", ended=None)

    def crash(argv: Sequence[str], timeout: float, real: Any = machine.run) -> Completed:
        looping["RestartCount"] += argv[1] == "inspect"
        done: Completed = real(argv, timeout)
        return done

    machine.run = crash  # type: ignore[method-assign]
    failed = failure(machine)
    assert failed.message == "`proj-two` ended: ValueError: no such parser"
    assert failed.lines == ("loading", "ValueError: no such parser")


def test_one_that_is_not_ready_in_time_is_told_with_its_last_line() -> None:
    slow = container("proj-two", host(Machine()).wanted()["proj-two"].mark, health="starting")
    failed = failure(Machine([*well("proj-one"), slow], log="loading shard 1 of 9", ended=None), limit_s=1e-9)
    assert failed.message == "`proj-two` is not ready after 1e-09 s (starting): loading shard 1 of 9"


def test_a_command_that_fails_is_told_by_its_own_last_word() -> None:
    machine = Machine(ended=1, said="proj-one: start\nError response from daemon: no such image\n")
    assert failure(machine).message == "Error response from daemon: no such image"


def test_docker_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Failed, match="docker is not installed"):
        host(Machine(answers={"docker version": NotInstalled("`docker` is not installed")})).check()
    with pytest.raises(Failed, match="does not answer: Cannot connect"):
        host(Machine(answers={"docker version": Completed(1, "", "Cannot connect to it")})).check()


def test_a_secret_that_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LLM_API_KEY", raising=False)
    monkeypatch.setenv("HUB_TOKEN", "x")
    with pytest.raises(Failed, match="LLM_API_KEY") as caught:
        host(Machine(), plans.HYBRID).check()
    assert "export LLM_API_KEY" in caught.value.help


def test_compose_reads_secrets_of_its_own_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LLM_API_KEY", raising=False)
    monkeypatch.delenv("HUB_TOKEN", raising=False)
    (tmp_path / "compose").mkdir()
    (tmp_path / "compose/.env").write_text("# x\nLLM_API_KEY='a'\nexport HUB_TOKEN=b\n")
    Compose(plans.HYBRID, tmp_path, Machine(answers=COMPOSE)).check()
    (tmp_path / "compose/.env").write_text("LLM_API_KEY=\nHUB_TOKEN=b\n")
    with pytest.raises(Failed, match="LLM_API_KEY"):
        Compose(plans.HYBRID, tmp_path, Machine(answers=COMPOSE)).check()


COMPOSE: dict[str, Completed | Exception] = {"docker compose version": Completed(0, "5.6.1\n", "")}


def test_compose_that_is_missing_or_too_old() -> None:
    old: dict[str, Completed | Exception] = {"docker compose version": Completed(0, "v2.17.3\n", "")}
    with pytest.raises(Failed, match=r"2\.17\.3 is too old"):
        Compose(PLAN, Path("out"), Machine(answers=old)).check()
    none: dict[str, Completed | Exception] = {
        "docker compose": Completed(1, "", "docker: 'compose' is not a docker command"),
        "docker-compose": NotInstalled("`docker-compose` is not installed"),
    }
    with pytest.raises(Failed, match="Compose is not installed"):
        Compose(PLAN, Path("out"), Machine(answers=none)).check()


def test_compose_as_a_program_of_its_own() -> None:
    answers: dict[str, Completed | Exception] = {
        "docker compose": Completed(1, "", "docker: 'compose' is not a docker command"),
        "docker-compose version": Completed(0, "2.39.1\n", ""),
        "docker-compose --project-name proj --file": Completed(
            0, "one a\ntwo b\ngateway c\none-download d\ntwo-download e\n", ""
        ),
    }
    compose = Compose(PLAN, Path("out"), Machine(answers=answers))
    compose.check()
    assert {name: each.mark for name, each in compose.wanted().items()} == {
        "proj-one-1": "a",
        "proj-two-1": "b",
        "proj-gateway-1": "c",
    }
    assert compose.up()[:5] == (
        *("docker-compose", "--project-name", "proj"),
        *("--file", "out/compose/compose.yaml"),
    )


def test_down_of_compose_wants_no_file_and_no_secret() -> None:
    machine = Machine(well("proj-one"), answers=COMPOSE)
    assert Compose(PLAN, Path("out"), machine).down(print, volumes=False) == ["container proj-one"]
    assert ("docker", "compose", "--project-name", "proj", "down", "--remove-orphans") in machine.ran


def test_a_removal_that_fails_says_why() -> None:
    machine = Machine(well("proj-one"), answers={"bash": Completed(1, "", "device is busy\n")})
    with pytest.raises(Failed, match="not all of it is gone: device is busy"):
        host(machine).down(print, volumes=True)


def test_an_interrupted_apply_takes_away_what_it_made_and_nothing_else() -> None:
    machine = Machine(well("proj-one"))
    docker = host(machine)
    machine.ended = 1
    with pytest.raises(Failed):
        docker.apply(print)
    machine.containers.append(container("proj-two", "x"))
    docker.undo(print)
    assert machine.ran[-4:-2] == [
        ("docker", "stop", "--time", "10", "id-proj-two"),
        ("docker", "rm", "--force", "id-proj-two"),
    ]


def test_an_engine_is_reached_at_its_own_address_or_the_published_port() -> None:
    assert host(Machine(well(*NAMES))).replicas()["one"] == ("http://172.18.0.2:8000",)
    published = plans.plan(plans.service("one"), routes=False)
    assert host(Machine(), published).replicas() == {"one": ("http://127.0.0.1:8080",)}


def test_what_up_sh_shows_of_a_log_has_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_API_KEY", "k-1234")
    monkeypatch.setenv("HUB_TOKEN", "t-1234")
    machine = Machine(ended=1, said="ValueError: key k-1234\n")
    with pytest.raises(Failed) as caught:
        host(machine, plans.HYBRID).apply(print)
    assert caught.value.message == "ValueError: key [REDACTED]"
    assert caught.value.lines == ("ValueError: key [REDACTED]",)


@pytest.mark.parametrize("value", ["a\r", "a\nb", "ключ"])
def test_a_secret_that_no_header_can_have(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_API_KEY", value)
    monkeypatch.setenv("HUB_TOKEN", "x")
    with pytest.raises(Failed, match="LLM_API_KEY has a line break, or what is not ASCII") as caught:
        host(Machine(), plans.HYBRID).check()
    assert value not in str(caught.value)


@pytest.mark.parametrize("version", ["1.12.6", "19.03.1", ""])
def test_docker_that_is_too_old(version: str) -> None:
    with pytest.raises(Failed, match="too old"):
        host(Machine(answers={"docker version": Completed(0, version, "")})).check()


def test_where_it_goes_is_shown_without_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://me:pass@host:1")
    docker = host(Machine())
    docker.reach()
    assert docker.where == "docker 28.0.0 at tcp://host:1"


def test_what_docker_says_and_nobody_understands() -> None:
    broken = container("proj-one", "x")
    broken["NetworkSettings"] = None
    with pytest.raises(Failed, match="not understood"):
        host(Machine([broken])).changes()
