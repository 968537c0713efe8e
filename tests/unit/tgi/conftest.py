"""A stand-in for TGI that runs, and a client of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support import tgi
from support.tgi.running import Running, started

from llmdeploy.runtime.http import Client


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tgi.model(tmp_path_factory.mktemp("tgi") / "model")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    lengths = {"MAX_INPUT_TOKENS": "50", "MAX_TOTAL_TOKENS": "250", "PAYLOAD_LIMIT": "5000"}
    with started(tmp_path_factory.mktemp("open"), **lengths) as it:
        yield it


@pytest.fixture(scope="module")
def client(running: Running) -> Client:
    return running.client()
