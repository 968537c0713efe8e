"""The local images: what they share with the vendors', and that a real vLLM serves from one, hardened."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

import pytest
from support import tiny
from support.dockerd import NGINX_IMAGE, ONE_DAEMON, VLLM_IMAGE, Dockerd

pytestmark = [pytest.mark.boots, ONE_DAEMON]

READY_S = 240
HARDENED = ("--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--init")
# Little memory, no warm-up, one process.
TINY = (
    *("--served-model-name", "tiny", "--dtype", "bfloat16", "--max-model-len", "256", "--max-num-seqs", "4"),
    *("--kv-cache-memory-bytes", "64M", "--enforce-eager"),
)


def asked(dockerd: Dockerd, *argv: str | Path) -> str:
    done = dockerd.docker(*argv)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def config(dockerd: Dockerd, image: str) -> Any:
    return json.loads(asked(dockerd, "image", "inspect", "--format", "{{json .Config}}", image))


def inside(dockerd: Dockerd, image: str, *argv: str) -> str:
    return asked(dockerd, "run", "--rm", "--network", "none", "--entrypoint", argv[0], image, *argv[1:])


def test_vllm_has_the_entry_point_and_the_port_of_the_vendors(dockerd: Dockerd) -> None:
    found = config(dockerd, VLLM_IMAGE)
    assert found["Entrypoint"] == ["vllm", "serve"]
    assert found["ExposedPorts"] == {"8000/tcp": {}}
    assert not found.get("User"), "root, unless a deployment says otherwise"


@pytest.mark.parametrize(
    ("image", "user", "ids"),
    [
        (VLLM_IMAGE, "vllm", "uid=2000(vllm) gid=0(root)"),
        (NGINX_IMAGE, "nginx", "uid=101(nginx) gid=101(nginx)"),
    ],
)
def test_an_image_has_its_user(dockerd: Dockerd, image: str, user: str, ids: str) -> None:
    assert inside(dockerd, image, "id", user).startswith(ids)


@pytest.mark.parametrize("image", [VLLM_IMAGE, NGINX_IMAGE])
def test_probes_find_curl(dockerd: Dockerd, image: str) -> None:
    assert inside(dockerd, image, "curl", "--version").startswith("curl ")


def test_a_hardened_vllm_serves(dockerd: Dockerd, tmp_path: Path) -> None:
    """As a container is emitted: not root, nothing to write to but its cache, on a network of the user's."""
    model = tiny.make_model(tmp_path / "model")
    with network(dockerd, "serving"), container(
        dockerd,
        *("--network", "serving", "--publish", "127.0.0.1::8000", *HARDENED),
        *("--user", "2000:0", "--shm-size", "1g", "--env", "HOME=/home/vllm", "--env", "USER=vllm"),
        *("--env", "HF_HUB_OFFLINE=1", "--env", "VLLM_NO_USAGE_STATS=1"),
        *("--env", "VLLM_ENABLE_V1_MULTIPROCESSING=0"),
        *("--mount", f"type=bind,src={model},dst=/model,readonly"),
        *("--mount", "type=volume,src=serving-cache,dst=/home/vllm/.cache"),
        *(VLLM_IMAGE, "/model", "--host", "0.0.0.0", "--port", "8000", *TINY),
    ) as name:  # fmt: skip
        url = f"http://{asked(dockerd, 'port', name, '8000/tcp')}"
        wait_until_healthy(dockerd, name, url)
        # A compiler would be asked for here, at the latest.
        assert complete(url)["usage"]["completion_tokens"] == 4
        assert asked(dockerd, "exec", name, "id", "-u") == "2000"
    assert not asked(dockerd, "ps", "--all", "--quiet", "--filter", f"id={name}")


@contextmanager
def network(dockerd: Dockerd, name: str) -> Iterator[None]:
    asked(dockerd, "network", "create", name)
    try:
        yield
    finally:
        asked(dockerd, "network", "rm", name)


@contextmanager
def container(dockerd: Dockerd, *argv: str) -> Iterator[str]:
    name = asked(dockerd, "run", "--detach", *argv)
    try:
        yield name
    finally:
        asked(dockerd, "rm", "--force", "--volumes", name)


def wait_until_healthy(dockerd: Dockerd, name: str, url: str) -> None:
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline:
        # Until the engine listens, docker's proxy takes connections and drops them.
        try:
            with urlopen(f"{url}/health", timeout=5) as answer:
                if answer.status == 200:
                    return
        except (URLError, ConnectionError, TimeoutError):
            pass
        if asked(dockerd, "inspect", "--format", "{{.State.Running}}", name) != "true":
            break
        time.sleep(0.5)
    logs: subprocess.CompletedProcess[str] = dockerd.docker("logs", "--tail", "40", name)
    pytest.fail(f"not healthy:\n{logs.stdout}{logs.stderr}")


def complete(url: str) -> Any:
    body = {"model": "tiny", "prompt": "hello", "max_tokens": 4, "ignore_eos": True}
    request = Request(
        f"{url}/v1/completions", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urlopen(request, timeout=60) as answer:
        return json.load(answer)
