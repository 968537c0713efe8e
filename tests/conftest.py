"""Fixtures for every test: real tools, engines' own parsers and golden folders."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from support import dockerd as daemons
from support import golden as golden_files
from support.oracle import Oracle
from support.tools import Run, engine_python, runner, tool

# How long an example takes depends on what else the machine does; times are measured by `make bench` alone.
settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")

# What whoever runs the tests has of the Hub is none of their business.
os.environ |= dict.fromkeys(("LLMDEPLOY_CACHE", "HF_HUB_CACHE"), "/nonexistent/llmdeploy-tests")
os.environ.pop("LLMDEPLOY_ONLINE", None)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-goldens", action="store_true", help="rewrite tests/golden from what is emitted"
    )
    parser.addoption("--boot", action="store_true", help="also run the tests that boot a real engine")


def pytest_runtest_setup(item: pytest.Item) -> None:
    asked_for = item.config.getoption("--boot") or os.environ.get("CI")
    if item.get_closest_marker("boots") and not asked_for:
        pytest.skip("boots a real engine: run `make boots`")
    for marker in item.iter_markers("needs"):
        for name in marker.args:
            tool(name)


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, Mapping[str, str]], None]:
    """golden(name, {path: text}): compare with tests/golden/NAME, or rewrite it."""
    update = request.config.getoption("--update-goldens")
    return lambda name, actual: golden_files.check(golden_files.GOLDEN / name, actual, update=update)


@pytest.fixture
def golden_text(request: pytest.FixtureRequest) -> Callable[[Path, str], None]:
    """golden_text(path, text): compare with the text of that file, or rewrite it."""
    update = request.config.getoption("--update-goldens")
    return lambda path, actual: golden_files.check_text(path, actual, update=update)


@pytest.fixture(scope="session")
def compose() -> Run:
    """Docker Compose itself: compose("-f", file, "config")."""
    return runner("docker-compose")


@pytest.fixture(scope="session")
def helm() -> Run:
    return runner("helm")


@pytest.fixture(scope="session")
def kubectl() -> Run:
    return runner("kubectl")


@pytest.fixture(scope="session")
def nginx() -> Run:
    return runner("nginx")


@pytest.fixture(scope="session")
def shellcheck() -> Run:
    return runner("shellcheck")


@pytest.fixture(scope="session")
def dockerd() -> Iterator[daemons.Dockerd]:
    """A real daemon with local images of vLLM and nginx. Tests that ask for it are marked `ONE_DAEMON`."""
    with daemons.started() as daemon:
        yield daemon


@pytest.fixture(scope="session")
def vllm_python() -> Callable[[str], Path]:
    """vllm_python("0.33"): the Python that can import that vLLM."""
    return lambda version: engine_python(f"vllm-{version}")


@pytest.fixture(scope="session")
def oracle() -> Iterator[Callable[[str], Oracle]]:
    """oracle("vllm-0.33"): asks that engine itself about an argv; started once, on first use."""
    started: dict[str, Oracle] = {}

    def start(engine: str) -> Oracle:
        if engine not in started:
            started[engine] = Oracle(engine)
        return started[engine]

    yield start
    for each in started.values():
        each.close()
