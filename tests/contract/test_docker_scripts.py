"""up.sh, down.sh and logs.sh as they run, with a docker that only writes down."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace
from support import plans
from support.recording_docker import Created, Docker
from support.tools import Run

from llmdeploy.plan.model import Plan
from llmdeploy.targets.docker import TARGET
from llmdeploy.targets.onehost import names

SECRETS = {"LLM_API_KEY": "s3cret key", "HUB_TOKEN": "hf_s3cret"}


@pytest.fixture
def write(tmp_path: Path) -> Callable[[Plan], Path]:
    """write(plan): its docker folder, in a directory whose name needs quoting."""

    def write(plan: Plan) -> Path:
        for artifact in TARGET.emit(plan):
            path = tmp_path / "it's an, out" / artifact.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(artifact.text)
            path.chmod(0o755 if artifact.executable else 0o644)
        return tmp_path / "it's an, out/docker"

    return write


@pytest.fixture
def docker(tmp_path: Path) -> Docker:
    return Docker(tmp_path / "recorder")


def up(docker: Docker, folder: Path, *options: str, **environ: str) -> dict[str, Created]:
    done = docker.run(folder / "up.sh", *options, **{**SECRETS, "HOME": str(folder.parent), **environ})
    assert done.returncode == 0, done.stderr
    return docker.created()


@pytest.mark.parametrize("plan", plans.ALL.values(), ids=plans.ALL)
def test_docker_is_told_what_the_plan_says(write: Callable[[Plan], Path], docker: Docker, plan: Plan) -> None:
    """The argv, env, mounts, GPUs, shared memory, user and image of every replica."""
    created = up(docker, write(plan))
    for service in plan.services:
        for index in range(service.replicas):
            engine = created[f"proj-{names.replica(plan, service.name, index + 1)}"]
            secrets = {key: SECRETS[secret.env or ""] for key, secret in service.launch.secret_env.items()}
            assert engine.argv == service.launch.argv
            assert engine.env == {**service.launch.env, **secrets}
            assert [mount["dst"] for mount in engine.mounts] == [mount.target for mount in service.mounts]
            assert ["readonly" in m for m in engine.mounts] == [mount.read_only for mount in service.mounts]
            assert engine.options.image == service.launch.image
            assert engine.options.shm_size == f"{service.shm_gib}g"
            assert engine.options.user == (service.user and f"{service.user.uid}:{service.user.gid}")
            assert engine.options.stop_timeout == str(service.drain.grace_s)
            if service.gpus.vendor == "nvidia":
                assert engine.gpus == service.gpus.devices[index]


def test_where_mounts_come_from(write: Callable[[Plan], Path], docker: Docker) -> None:
    """Beside llm.yaml, in the home directory, beside the script, or a volume."""

    def sources(plan: Plan) -> list[str]:
        return [mount["src"] for mount in up(docker, write(plan))["proj-chat"].mounts]

    folder = write(plans.ONE)
    assert sources(plans.LOCAL) == [f"{folder}/../../my, models/one"]
    assert sources(plans.HOME) == [f"{folder.parent}/.cache/hugging face", "proj-chat-cache"]
    assert (folder.parent / ".cache/hugging face").is_dir()
    assert sources(plans.TEMPLATE) == ["proj-models", f"{folder}/files/chat.jinja"]
    assert (folder / "files/chat.jinja").read_text() == "{{ messages }}\n"


def test_its_files_are_found_from_anywhere(
    write: Callable[[Plan], Path], docker: Docker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through links to links, and with a CDPATH that has a folder of the same name."""
    folder = write(plans.TEMPLATE)
    expected = [container.mounts for container in up(docker, folder).values()]
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/first.sh").symlink_to(folder / "up.sh")
    (tmp_path / "bin/second.sh").symlink_to("first.sh")
    (tmp_path / "elsewhere/docker").mkdir(parents=True)
    monkeypatch.chdir(folder.parent)
    for script in (tmp_path / "bin/second.sh", "docker/up.sh"):
        environ = {**SECRETS, "HOME": str(folder.parent), "CDPATH": str(tmp_path / "elsewhere")}
        assert docker.run(script, "--recreate", **environ).returncode == 0
        assert [container.mounts for container in docker.created().values()] == expected


def test_amd_gpus_are_device_files(write: Callable[[Plan], Path], docker: Docker) -> None:
    options = up(docker, write(plans.AMD))["proj-chat"].options
    assert options.device == ["/dev/kfd", "/dev/dri/renderD128", "/dev/dri/renderD133"]
    assert options.gpus is None


def test_only_the_gateway_is_reached_from_outside(write: Callable[[Plan], Path], docker: Docker) -> None:
    created = up(docker, write(plans.HYBRID))
    published = {name: each.options.publish for name, each in created.items() if each.options.publish}
    assert published == {"proj-gateway": ["127.0.0.1:8080:8080"]}
    networks = [call["argv"] for call in docker.calls if call["argv"][0] == "network"]
    assert ["network", "connect", "proj-engines", "proj-gateway"] in networks
    assert [words for words in networks if "--internal" in words and words[-1] == "proj-engines"]
    inside = {name for name, each in created.items() if each.options.network == ["proj-engines"]}
    assert inside == {"proj-batch", "proj-agents", "proj-structured"}


def test_without_routes_every_replica_has_a_port(write: Callable[[Plan], Path], docker: Docker) -> None:
    created = up(docker, write(plans.NO_ROUTES))
    ports = {name: each.options.publish for name, each in created.items() if each.options.publish}
    assert ports == {
        "proj-a": ["127.0.0.1:8080:8000"],
        "proj-a-2": ["127.0.0.1:8081:8000"],
        "proj-b": ["127.0.0.1:8082:8000"],
    }


def test_only_a_download_has_the_token(write: Callable[[Plan], Path], docker: Docker) -> None:
    """Root in a throw-away container that writes; the engines only read."""
    created = up(docker, write(plans.HYBRID))
    assert [name for name, each in created.items() if "HF_TOKEN" in each.env] == ["proj-agents-download"]
    download = created["proj-agents-download"]
    assert download.env["HF_TOKEN"] == SECRETS["HUB_TOKEN"]
    assert download.options.rm
    assert download.mounts == [{"type": "volume", "src": "proj-models", "dst": "/models"}]


def test_no_command_line_has_a_secret(write: Callable[[Plan], Path], docker: Docker) -> None:
    up(docker, write(plans.HYBRID))
    words = [word for call in docker.calls for word in call["argv"]]
    assert not [word for word in words if any(value in word for value in SECRETS.values())]


def test_a_missing_secret_is_named(write: Callable[[Plan], Path], docker: Docker) -> None:
    done = docker.run(write(plans.HYBRID) / "up.sh", **{**SECRETS, "LLM_API_KEY": ""})
    assert done.returncode == 1
    assert "secret api-key: LLM_API_KEY is not set; run: read -rs LLM_API_KEY" in done.stderr
    assert docker.changes() == []


def test_a_second_run_changes_nothing(write: Callable[[Plan], Path], docker: Docker) -> None:
    folder = write(plans.HYBRID)
    up(docker, folder)
    docker.forget_calls()
    up(docker, folder)
    assert docker.changes() == []
    up(docker, folder, "--recreate")
    assert len([change for change in docker.changes() if change.startswith("create")]) == 4


def test_only_what_changed_is_started_anew(write: Callable[[Plan], Path], docker: Docker) -> None:
    """Also where only the text of a mounted file is new; and what left the plan goes first."""
    up(docker, write(plans.HYBRID))
    docker.forget_calls()
    batch, agents, _ = plans.HYBRID.services
    changed = replace(
        plans.HYBRID, services=(replace(batch, shm_gib=9), agents), routes=plans.HYBRID.routes[:2]
    )
    up(docker, write(changed))
    assert docker.changes() == [
        "stop proj-structured",
        "rm proj-structured",
        "run proj-batch-download",
        "stop proj-batch",
        "rm proj-batch",
        "create proj-batch",
        "start proj-batch",
        "stop proj-gateway",
        "rm proj-gateway",
        "create proj-gateway",
        "start proj-gateway",
    ]


def test_a_container_of_somebody_else_stays(write: Callable[[Plan], Path], docker: Docker) -> None:
    docker.run(docker.program, "create", "--name", "proj-chat", "--label", "a=b", "image")
    docker.forget_calls()
    done = docker.run(write(plans.ONE) / "up.sh")
    assert done.returncode == 1
    assert "proj-chat is there and is not ours" in done.stderr
    assert docker.changes() == ["run proj-chat-download"]


def test_a_dry_run_prints_and_does_not_ask(write: Callable[[Plan], Path], docker: Docker) -> None:
    """Its lines are the words that a first start would run."""
    folder = write(plans.STRANGE)
    printed = docker.run(folder / "up.sh", "--dry-run", DOCKER="/no/docker")
    assert printed.returncode == 0, printed.stderr
    up(docker, folder)
    # %q writes $'line\nbreak' in bash's own way, so bash reads it back.
    reader = shlex.join([sys.executable, "-c", "import json, sys; print(json.dumps(sys.argv[1:]))"])
    script = f'docker() {{ {reader} "$@"; }}\n' + printed.stdout.replace("/no/docker ", "docker ")
    lines = docker.run("bash", "-c", script).stdout.splitlines()
    changing = ("create", "start", "run", "network", "volume")
    ran = [call["argv"] for call in docker.calls if call["argv"][0] in changing]
    ran = [words for words in ran if words[:2] != ["network", "inspect"]]
    assert [json.loads(line) for line in lines] == ran


def test_an_engine_that_never_gets_healthy_fails_with_its_log(
    write: Callable[[Plan], Path], docker: Docker
) -> None:
    """A crash loop ends the wait at once, not after half an hour."""
    done = docker.run(write(plans.ONE) / "up.sh", RECORDING_HEALTH="starting 3")
    assert done.returncode == 1
    assert "last words" in done.stdout + done.stderr
    assert "create proj-gateway" not in docker.changes()


def test_down_stops_the_gateway_first_and_leaves_nothing(
    write: Callable[[Plan], Path], docker: Docker
) -> None:
    folder = write(plans.HYBRID)
    up(docker, folder)
    docker.forget_calls()
    assert docker.run(folder / "down.sh").returncode == 0
    assert docker.changes()[0] == "stop proj-gateway"
    assert json.loads((docker.home / "memory").read_text())["containers"] == {}
    assert docker.run(folder / "down.sh", "--volume").returncode == 2


def test_logs(write: Callable[[Plan], Path], docker: Docker) -> None:
    folder = write(plans.HYBRID)
    up(docker, folder)
    docker.forget_calls()
    assert docker.run(folder / "logs.sh", "agents").returncode == 0
    assert docker.calls[-1]["argv"] == ["logs", "--follow", "--tail", "100", "proj-agents"]
    assert docker.run(folder / "logs.sh").stdout.count("==>") == 4
    assert docker.run(folder / "logs.sh", "nobody").returncode == 1


@pytest.mark.needs("shellcheck")
@pytest.mark.parametrize("plan", plans.ALL.values(), ids=plans.ALL)
def test_shellcheck_has_nothing_to_say(write: Callable[[Plan], Path], shellcheck: Run, plan: Plan) -> None:
    judged = shellcheck("--severity=style", *sorted(write(plan).glob("*.sh")))
    assert judged.returncode == 0, judged.stdout
