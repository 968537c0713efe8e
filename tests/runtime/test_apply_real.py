"""`apply`, `down` and the smoke test in containers: a real vLLM on a real dockerd, behind the emitted nginx."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from support import tiny
from support.dockerd import ONE_DAEMON, Dockerd, sweep

pytestmark = [pytest.mark.boots, ONE_DAEMON]

PROJECT = "tiny"
BOTH = ["docker", "compose"]
READY_S = "240"
Done = subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("apply")
    tiny.make_model(home / "model")
    return home


@pytest.fixture(autouse=True)
def clean(dockerd: Dockerd) -> Iterator[None]:
    """Whatever a test leaves, of this module or of another, the next one starts from nothing."""
    sweep(dockerd)
    yield
    sweep(dockerd)


def write(folder: Path, models: dict[str, dict[str, Any]], port: int = 18080) -> Path:
    spec = tiny.spec()
    base = spec["models"]["tiny"]
    spec["gpus"]["cpu"]["memory"] = f"{5 * len(models)}GiB"
    spec["models"] = {name: {**base, **changes} for name, changes in models.items()}
    spec["routes"] = [{"path": f"/{name}", "model": name} for name in models]
    spec["targets"] = {target: {"port": port} for target in BOTH}
    path = folder / "llm.yaml"
    path.write_text(yaml.safe_dump(spec))
    return path


def llmdeploy(docker: Dockerd, *argv: str | Path, timeout: float = 400) -> Done:
    return subprocess.run(
        command(*argv),
        env=environ(docker),
        capture_output=True,
        text=True,
        timeout=timeout,
        stdin=subprocess.DEVNULL,
    )


def command(*argv: str | Path) -> list[str]:
    return [sys.executable, "-m", "llmdeploy", *map(str, argv)]


def environ(docker: Dockerd) -> dict[str, str]:
    return {**os.environ, **docker.env, tiny.KEY_ENV: tiny.KEY}


def containers(docker: Dockerd, *options: str) -> dict[str, str]:
    """The containers of the project, and when each was made."""
    listed = docker.docker("ps", *options, "--no-trunc", "--format", "{{.Names}} {{.ID}}").stdout.splitlines()
    return dict(line.split() for line in listed)


def volumes(docker: Dockerd) -> list[str]:
    return docker.docker("volume", "ls", "--quiet").stdout.split()


def networks(docker: Dockerd) -> list[str]:
    return docker.docker("network", "ls", "--quiet", "--filter", "type=custom").stdout.split()


def by_model(names: dict[str, str]) -> dict[str, str]:
    """What docker calls a container -> what llm.yaml calls it: Compose counts, docker does not."""
    return {re.sub(rf"^{PROJECT}-|-1$", "", name): id for name, id in names.items()}


@pytest.mark.parametrize("target", BOTH)
def test_apply_and_again_and_changed_and_down(target: str, folder: Path, dockerd: Dockerd) -> None:
    """A second apply changes nothing, a changed model is the only one that restarts, and volumes stay."""
    spec = write(folder, {"one": {}, "two": {}})
    apply = ("apply", spec, "-t", target, "-o", folder / f"out-{target}", "--timeout", READY_S)

    refused = llmdeploy(dockerd, *apply)
    assert refused.returncode == 2, refused.stderr
    assert "say --yes" in refused.stderr
    assert not containers(dockerd, "--all")

    first = llmdeploy(dockerd, *apply, "--yes")
    assert first.returncode == 0, first.stderr
    assert "http://127.0.0.1:18080/one" in first.stdout
    made = by_model(containers(dockerd))
    assert made.keys() == {"one", "two", "gateway"}
    asked = subprocess.run(
        ["bash", "-c", first.stdout.splitlines()[-1]], env=environ(dockerd), capture_output=True, text=True
    )
    assert json.loads(asked.stdout)["choices"], asked.stderr

    second = llmdeploy(dockerd, *apply)
    assert second.returncode == 0, second.stderr
    assert "unchanged" in second.stderr
    assert by_model(containers(dockerd)) == made

    write(folder, {"one": {}, "two": {"context": 128}})
    third = llmdeploy(dockerd, *apply, "--yes")
    assert third.returncode == 0, third.stderr
    changes = [line for line in third.stdout.splitlines() if re.match("  [-+!~] ", line)]
    assert len(changes) == 1 and "restart" in changes[0] and "two" in changes[0], changes
    now = by_model(containers(dockerd))
    assert {name for name in made if made[name] != now[name]} == {"two"}

    down = llmdeploy(dockerd, "down", spec, "-t", target)
    assert down.returncode == 0, down.stderr
    assert not containers(dockerd, "--all") and not networks(dockerd)
    assert set(volumes(dockerd)) == {"tiny-one-cache", "tiny-two-cache"}
    again = llmdeploy(dockerd, "down", spec, "-t", target, "--volumes")
    assert again.returncode == 0, again.stderr
    assert not volumes(dockerd)


@pytest.mark.parametrize("target", BOTH)
def test_the_smoke_test_passes_and_leaves_nothing_running(
    target: str, folder: Path, dockerd: Dockerd
) -> None:
    spec = write(folder, {"tiny": {}})
    done = llmdeploy(dockerd, "smoke-test", spec, "-t", target, "--timeout", READY_S, "--format", "json")
    assert done.returncode == 0, done.stderr
    asked = {(each["via"], each["check"]) for each in json.loads(done.stdout)["checks"]}
    assert {("direct", "live"), ("direct", "schema"), ("/tiny", "stream"), ("/tiny", "closed")} <= asked
    assert not containers(dockerd, "--all") and not networks(dockerd)


@pytest.mark.parametrize("target", BOTH)
@pytest.mark.parametrize("name", ["apply", "smoke-test"])
def test_ctrl_c_during_the_boot_leaves_nothing_running(
    name: str, target: str, folder: Path, dockerd: Dockerd
) -> None:
    spec = write(folder, {"tiny": {}})
    more = ("--yes", "-o", folder / "out") if name == "apply" else ()
    process = subprocess.Popen(
        command(name, spec, "-t", target, *more),
        env=environ(dockerd),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    eventually(lambda: any("tiny" in each for each in containers(dockerd)))
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=120)
    assert process.returncode not in (0, 3), told
    assert "Traceback" not in told
    assert not containers(dockerd, "--all") and not networks(dockerd)


@pytest.mark.parametrize("name", ["apply", "smoke-test"])
def test_an_engine_that_ends_says_why_itself(name: str, folder: Path, dockerd: Dockerd) -> None:
    spec = write(folder, {"tiny": {"engine_args": {"tokenizer": "/no/such-tokenizer"}}})
    more = ("--yes", "-o", folder / "out") if name == "apply" else ()
    done = llmdeploy(dockerd, name, spec, "-t", "docker", *more)
    assert done.returncode == 3, done.stderr
    (failed,) = (line for line in done.stderr.splitlines() if line.startswith("failed: "))
    assert "no/such-tokenizer" in failed
    if name == "apply":
        assert "  | " in done.stderr, "the last lines of the engine"
    else:
        assert not containers(dockerd, "--all")


def test_what_runs_already_is_not_touched(folder: Path, dockerd: Dockerd) -> None:
    """A smoke test of a project that is deployed would take it down at its end."""
    spec = write(folder, {"tiny": {}})
    dockerd.docker(
        *("run", "--detach", "--name", "tiny-tiny", "--network", "none"),
        *("--label", "io.llmdeploy.project=tiny", "--entrypoint", "sleep", "nginx:1.28.0", "60"),
    )
    done = llmdeploy(dockerd, "smoke-test", spec, "-t", "docker")
    assert done.returncode == 3
    assert "tiny-tiny is there already" in done.stderr
    assert "tiny-tiny" in containers(dockerd)


def test_a_secret_without_a_value_is_missed_before_anything_starts(folder: Path, dockerd: Dockerd) -> None:
    spec = write(folder, {"tiny": {}})
    environment = {key: value for key, value in environ(dockerd).items() if key != tiny.KEY_ENV}
    done = subprocess.run(
        command("apply", spec, "-t", "docker", "-o", folder / "out", "--yes"),
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 3
    assert f"export {tiny.KEY_ENV}" in done.stderr
    assert not containers(dockerd, "--all") and not networks(dockerd)


def eventually(hold: Callable[[], bool]) -> None:
    end = time.monotonic() + 90
    while not hold():
        assert time.monotonic() < end, "did not happen in 90 s"
        time.sleep(0.2)
