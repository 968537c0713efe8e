"""The smoke test on a real vLLM behind a real nginx: it passes, and it names what is broken."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml
from click.testing import CliRunner
from support import meddler, tiny

from llmdeploy.cli import cli
from llmdeploy.cli.common import compile_file
from llmdeploy.plan.model import Plan
from llmdeploy.runtime.http import Client
from llmdeploy.runtime.smoke.boot import Booted, Place, booted, gate

pytestmark = [pytest.mark.boots, pytest.mark.needs("nginx"), pytest.mark.xdist_group("vllm-serving")]

ENDINGS = {"ctrl-c": signal.SIGINT, "sigterm": signal.SIGTERM, "hangup": signal.SIGHUP}
THROUGH_THE_ROUTE = ["name", "chat", "stream", "schema", "key", "closed"]


@dataclass(frozen=True)
class Running:
    folder: Path
    plan: Plan
    booted: Booted

    @property
    def gateway(self) -> str:
        assert self.booted.gateway
        return self.booted.gateway


@pytest.fixture(scope="module", autouse=True)
def key() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(tiny.KEY_ENV, tiny.KEY)
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("tiny")
    tiny.make_model(home / "model")
    write(home / "llm.yaml", tiny.spec())
    return home


@pytest.fixture(scope="module")
def running(folder: Path) -> Iterator[Running]:
    plan = compile_file(str(folder / "llm.yaml"), ["docker"], Path("out"), emit=False).plan
    assert plan
    with booted(plan, Place(folder, {"": tiny.engine_bin()}, 180), print) as it:
        yield Running(folder, plan, it)


def write(path: Path, spec: dict[str, Any]) -> Path:
    path.write_text(yaml.safe_dump(spec))
    return path


Done = subprocess.CompletedProcess[str]


def against(url: str, spec: Path) -> Done:
    """In a process of its own: a proxy in this one would be held up by whoever reads from it."""
    argv = (sys.executable, "-m", "llmdeploy", "smoke-test", spec, "--against", url, "--format", "json")
    return subprocess.run(argv, capture_output=True, text=True, timeout=120)


def failing(result: Done) -> dict[str, str]:
    """The checks that failed, and why; a failure is always told on stderr and in the exit status as well."""
    failed = {
        check["check"]: check["detail"] for check in json.loads(result.stdout)["checks"] if not check["ok"]
    }
    assert result.returncode == (3 if failed else 0)
    assert all(f"{name}: {detail}" in result.stderr for name, detail in failed.items())
    return failed


def alive(group: int) -> list[int]:
    """The processes of a group that still run; a zombie waits for nobody but init."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, pgrp = path.read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if int(pgrp) == group and state != "Z":
            found.append(int(path.parent.name))
    return found


def test_it_boots_asks_and_leaves_nothing_behind(folder: Path) -> None:
    """The whole command, in a process of its own."""
    started = time.monotonic()
    done = subprocess.run(command(folder), capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    checks = [(check["via"], check["check"]) for check in json.loads(done.stdout)["checks"]]
    direct = [
        ("direct", name) for name in ("live", "ready", "name", "chat", "stream", "schema", "prefix", "key")
    ]
    assert checks == [*direct, *(("/tiny", name) for name in THROUGH_THE_ROUTE), ("direct", "drain")]
    suite = ElementTree.parse(folder / "report.xml").getroot()
    assert (suite.get("tests"), suite.get("failures")) == (str(len(checks)), "0")
    assert "on 127.0.0.1:" in done.stderr and "for port 8000" in done.stderr
    assert not children_of(folder), "an engine outlived the command"
    assert time.monotonic() - started < 200


@pytest.mark.parametrize("number", list(ENDINGS.values()), ids=list(ENDINGS))
def test_an_interrupted_boot_leaves_nothing_behind(folder: Path, number: signal.Signals) -> None:
    process = subprocess.Popen(command(folder), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert process.stderr
    assert "starting" in process.stderr.readline()
    engines = eventually(lambda: children_of(folder))
    process.send_signal(number)
    process.communicate(timeout=60)
    assert process.returncode not in (0, 3)
    # A killed process takes a moment to go.
    assert eventually(lambda: not any(alive(pid) for pid in engines))


def command(folder: Path) -> list[str]:
    return [
        *(sys.executable, "-m", "llmdeploy", "smoke-test", str(folder / "llm.yaml"), "--format", "json"),
        *("--runtime", "process", "--engine-bin", str(tiny.engine_bin()), "--timeout", "180"),
        *("--junit", str(folder / "report.xml")),
    ]


def children_of(folder: Path) -> list[int]:
    """The engines that serve the model of this test, by what /proc says of their command lines."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if str(folder / "model").encode() in words and b"serve" in words:
            found.append(int(path.parent.name))
    return found


def eventually(find: Any) -> Any:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        if found := find():
            return found
        time.sleep(0.05)
    pytest.fail("did not happen in 20 s")


def test_an_engine_that_does_not_start_says_why_itself(folder: Path) -> None:
    """In one line, at once, and not as a time-out."""
    arguments = {"tokenizer": "/no/such-tokenizer"}
    unknown = write(folder / "unknown.yaml", tiny.spec(engine_args=arguments))
    result = CliRunner().invoke(
        cli,
        [
            *("smoke-test", str(unknown), "--runtime", "process", "--format", "json"),
            *("--engine-bin", str(tiny.engine_bin()), "--timeout", "180"),
        ],
    )
    assert result.exit_code == 3, result.output
    error = json.loads(result.stdout)["error"]
    assert error.startswith("`tiny` ended with status 1: ")
    assert "no/such-tokenizer" in error and "\n" not in error


def test_it_passes_against_what_runs(running: Running) -> None:
    result = against(running.gateway, running.folder / "llm.yaml")
    assert failing(result) == {}
    assert [check["check"] for check in json.loads(result.stdout)["checks"]] == THROUGH_THE_ROUTE


def test_it_names_a_served_name_that_is_another_one(running: Running) -> None:
    spec = write(running.folder / "renamed.yaml", tiny.spec(served_names=["renamed"]))
    failed = failing(against(running.gateway, spec))
    assert failed["name"] == "does not serve `renamed`, but `tiny`"
    assert "404" in failed["chat"]


def test_it_names_a_route_that_is_taken_out_of_the_running_nginx(running: Running) -> None:
    spec = running.folder / "llm.yaml"
    with gate(running.plan, running.booted.replicas) as url:
        assert failing(against(url, spec)) == {}
        pid, config = running_nginx(url)
        text = config.read_text()
        without = re.sub(r"location (= )?/tiny\S* \{.*?\n        \}\n", "", text, flags=re.DOTALL)
        assert "/tiny" in text and "/tiny" not in without
        config.write_text(without)
        os.kill(pid, signal.SIGHUP)
        # The old workers answer for a moment.
        eventually(lambda: Client(url).get("/tiny/v1/models").status == 404)
        failed = failing(against(url, spec))
    assert failed.keys() == {"name", "chat", "stream", "schema", "key"}, failed
    assert all("404" in detail and "no such route" in detail for detail in failed.values())


def running_nginx(url: str) -> tuple[int, Path]:
    """The process that listens at `url`, and its configuration."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            # nginx writes a title over its arguments, with spaces between them.
            words = path.read_text().replace("\0", " ").split()
            config = Path(words[words.index("-c") + 1]) if "-c" in words else None
            if config and config.name == "nginx.conf" and url.removeprefix("http://") in config.read_text():
                return int(path.parent.name), config
    raise AssertionError(f"no nginx listens at {url}")


def test_it_names_a_proxy_that_drops_response_format(running: Running) -> None:
    with meddler.proxy(running.gateway, meddler.without_response_format) as url:
        failed = failing(against(url, running.folder / "llm.yaml"))
    assert failed.keys() == {"schema"}, failed
    assert failed["schema"].startswith("response_format is not applied")


def test_it_names_a_stream_that_is_buffered(running: Running) -> None:
    with meddler.proxy(running.gateway, buffered=True) as url:
        failed = failing(against(url, running.folder / "llm.yaml"))
    assert failed.keys() == {"stream"}, failed
    assert failed["stream"].startswith("the stream is buffered")


def test_a_proxy_that_only_passes_on_is_no_fault(running: Running) -> None:
    """Otherwise the two tests above could fail for the proxy's own sake."""
    with meddler.proxy(running.gateway) as url:
        assert failing(against(url, running.folder / "llm.yaml")) == {}


def test_it_names_a_model_that_is_open_to_everyone(running: Running) -> None:
    with meddler.proxy(running.gateway, key=tiny.KEY) as url:
        failed = failing(against(url, running.folder / "llm.yaml"))
    assert failed.keys() == {"key"}, failed
    assert failed["key"].startswith("status 200 instead of 401")
