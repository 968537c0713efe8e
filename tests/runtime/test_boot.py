"""Booting programs that do not come up: what is said of them, and that none is left."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from msgspec.structs import replace
from support import plans

from llmdeploy.plan.model import Plan, Service
from llmdeploy.runtime.smoke.boot import Place, booted
from llmdeploy.runtime.smoke.local import CannotBoot


def script(name: str, text: str) -> Service:
    """A model whose engine is a shell script; bash takes the port as its own first argument."""
    launch = plans.launch("--port=8000", entrypoint=("bash", "-c", text))
    return plans.service(name, launch=launch, gpus=plans.gpus([]))


def failure(plan: Plan, place: Place) -> str:
    with pytest.raises(CannotBoot) as caught, booted(plan, place, print):
        pass
    return str(caught.value)


def test_one_that_ends_is_told_at_once_while_another_still_loads(tmp_path: Path) -> None:
    alive = tmp_path / "alive"
    slow = script("slow", f"while touch {alive}; do sleep 0.1; done")
    broken = script(
        "broken", f"until [ -e {alive} ]; do sleep 0.05; done; echo 'ValueError: nothing'; echo bye; exit 4"
    )
    started = time.monotonic()
    told = failure(plans.plan(slow, broken), Place(tmp_path, ready_s=30))
    assert told == "`broken` ended with status 4: ValueError: nothing"
    assert time.monotonic() - started < 15
    alive.unlink()
    time.sleep(0.3)
    assert not alive.exists(), "the other one still runs"


def test_a_deadline_names_the_last_status_and_line(tmp_path: Path) -> None:
    slow = script("slow", "echo loading shard 3 of 9; sleep 60")
    told = failure(plans.plan(slow), Place(tmp_path, ready_s=1))
    assert told == "`slow` is not ready after 1 s (connection refused): loading shard 3 of 9"


SERVER = "import sys, http.server as h; h.test(h.SimpleHTTPRequestHandler, port=int(sys.argv[1]), bind='127.0.0.1')"


def test_one_that_shares_a_card_starts_when_the_one_before_it_is_ready(tmp_path: Path) -> None:
    (tmp_path / "health").touch()
    ready = tmp_path / "ready"
    serve = f'exec python3 -c "{SERVER}" "${{0#--port=}}"'
    first = script("first", f"cd {tmp_path}; sleep 1; touch {ready}; {serve}")
    second = replace(script("second", f"cd {tmp_path}; [ -e {ready} ] || exit 3; {serve}"), after=("first",))
    told: list[str] = []
    with booted(plans.plan(first, second, routes=False), Place(tmp_path, ready_s=30), told.append) as up:
        assert set(up.replicas) == {"first", "second"}
    said = [text for text in told if "starting" in text or "ready in" in text]
    assert [text.partition(":")[0] for text in said] == ["first", "first", "second", "second"]


def test_a_program_that_is_not_installed(tmp_path: Path) -> None:
    service = plans.service(launch=plans.launch("--port=8000", entrypoint=("no-such-engine",)))
    assert "`no-such-engine` is not on PATH" in failure(plans.plan(service), Place(tmp_path))


def test_programs_are_searched_in_their_own_directory_first(tmp_path: Path) -> None:
    program = tmp_path / "one"
    program.write_text("#!/bin/sh\necho this one; exit 5\n")
    program.chmod(0o755)
    service = plans.service(launch=plans.launch("--port=8000", entrypoint=("one",)))
    told = failure(plans.plan(service), Place(tmp_path, programs={"": tmp_path}, ready_s=30))
    assert told == "`chat` ended with status 5: this one"
