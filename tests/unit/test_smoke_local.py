"""What a container would run, as a process."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from msgspec.structs import replace
from support import plans

from llmdeploy.plan.model import Mount, MountKind, Service, TextFile
from llmdeploy.runtime.smoke.local import CannotBoot, Command, Site, command

SITE = Site(Path("/site"), Path("/nowhere"), {"LLM_API_KEY": "secret"})


def run(service: Service, site: Site = SITE, replica: int = 0) -> Command:
    return command(service, replica, 4321, site)


def launched(*args: str, **changes: object) -> Service:
    return plans.service(launch=plans.launch(*args, **changes))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["--host", "0.0.0.0", "--port", "8000"], ["--host", "127.0.0.1", "--port", "4321"]),
        (["--host=0.0.0.0", "--port=8000"], ["--host=127.0.0.1", "--port=4321"]),
        (["--max-len", "8000", "--port", "8000"], ["--max-len", "8000", "--port", "4321"]),
    ],
)
def test_port_and_address_are_of_this_machine(given: list[str], expected: list[str]) -> None:
    assert run(launched(*given)).argv == ("one", "serve", *expected)


def test_a_port_in_the_environment_is_exchanged_too() -> None:
    made = run(launched("--x", env={"PORT": "8000", "LIMIT": "8000"}))
    assert made.env == {"PORT": "4321", "LIMIT": "8000", "CUDA_VISIBLE_DEVICES": "0"}


def test_a_command_that_does_not_say_its_port_cannot_be_moved() -> None:
    with pytest.raises(CannotBoot, match="does not say its port"):
        run(launched("--host", "0.0.0.0"))


def test_caches_are_those_of_this_machine() -> None:
    env = {"HF_HOME": "/models", "HOME": "/home/one", "XDG": "/home/one/.cache/x", "SHELL": "/bin/sh"}
    made = run(launched("--port=8000", env=env))
    assert made.dropped == ("HF_HOME", "HOME", "XDG")
    assert made.env == {"SHELL": "/bin/sh", "CUDA_VISIBLE_DEVICES": "0"}


def test_a_local_model_is_beside_llm_yaml() -> None:
    mounts = (Mount(MountKind.MODEL, "/model", read_only=True, source="./weights"),)
    service = replace(launched("/model", "--port=8000", "--spec=/model", "/models"), mounts=mounts)
    assert run(service).argv[2:] == ("/site/weights", "--port=4321", "--spec=/site/weights", "/models")


def test_a_path_in_json_is_moved_too() -> None:
    mounts = (Mount(MountKind.MODEL, "/drafter", read_only=True, source='./my "drafter"'),)
    service = replace(launched('{"model":"/drafter","n":4}', "--port=8000"), mounts=mounts)
    assert json.loads(run(service).argv[2]) == {"model": '/site/my "drafter"', "n": 4}


def test_what_only_a_container_fetches_cannot_be_booted_here() -> None:
    mounts = (Mount(MountKind.WEIGHTS, "/models", read_only=True),)
    service = replace(launched("--port=8000", "sql=/models/adapters/org/sql"), mounts=mounts)
    with pytest.raises(CannotBoot, match=r"adapters/org/sql.*give it a directory"):
        run(service)


def test_a_file_that_travels_is_written(tmp_path: Path) -> None:
    service = replace(
        launched("--port=8000", "--chat-template", "/etc/chat.jinja"),
        mounts=(Mount(MountKind.FILE, "/etc/chat.jinja", read_only=True, source="chat.jinja"),),
        files=(TextFile("chat.jinja", "{{ messages }}"),),
    )
    place = Path(run(service, replace(SITE, home=tmp_path)).argv[-1])
    assert (place.parent, place.read_text()) == (tmp_path, "{{ messages }}")


@pytest.mark.parametrize(
    ("vendor", "variable"), [("nvidia", "CUDA_VISIBLE_DEVICES"), ("amd", "HIP_VISIBLE_DEVICES")]
)
def test_each_replica_sees_its_own_devices(vendor: str, variable: str) -> None:
    service = replace(
        launched("--port=8000"), gpus=plans.gpus(["0", "1"], ["2", "3"], vendor=vendor), replicas=2
    )
    assert [run(service, replica=index).env[variable] for index in (0, 1)] == ["0,1", "2,3"]


def test_a_secret_comes_from_the_variable_that_llm_yaml_names() -> None:
    service = launched("--port=8000", secret_env={"ONE_KEY": plans.API_KEY})
    assert run(service).env["ONE_KEY"] == "secret"
    with pytest.raises(CannotBoot, match="LLM_API_KEY, which is not set"):
        run(service, replace(SITE, environ={}))


def test_a_file_in_a_containers_own_tmp_is_the_replicas_own(tmp_path: Path) -> None:
    launch = plans.launch("--config", "/tmp/key.yaml", "--port", "8000")
    service = plans.service(launch=launch, gpus=plans.gpus(["0"], ["1"]))
    places = {run(service, replace(SITE, home=tmp_path), index).argv[-3] for index in (0, 1)}
    assert places == {str(tmp_path / "chat-0-key.yaml"), str(tmp_path / "chat-1-key.yaml")}
