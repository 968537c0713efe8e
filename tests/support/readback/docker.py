"""docker: the script runs, against a docker that writes down what it is asked."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from llmdeploy.plan.model import Plan
from support.readback.host import amd, host, texts
from support.readback.model import Fetch, Model, Models, Replica
from support.readback.spelled import port_of, size_of, without_token
from support.recording_docker import Created, parser
from support.tools import runner

RECORDING_DOCKER = Path(__file__).parent.with_name("recording_docker.sh")


def docker(plan: Plan, folder: Path) -> Models:
    made = list(_created(plan, folder / "up.sh"))
    models = {}
    for service in plan.services:
        mine = [each for each in made if f"io.llmdeploy.model={service.name}" in each.options.label]
        fetches = [_fetch(each) for each in mine if each.options.rm]
        assert len(fetches) <= 1
        replicas = tuple(_replica(each) for each in mine if not each.options.rm)
        models[service.name] = Model(replicas, next(iter(fetches), None))
    return models


def _created(plan: Plan, script: Path) -> Iterator[Created]:
    with tempfile.TemporaryDirectory() as home:
        record = Path(home) / "record"
        env = {**host(plan, home), "DOCKER": str(RECORDING_DOCKER), "RECORD": str(record)}
        done = runner("bash")(script, env=env)
        assert done.returncode == 0, done.stderr
        words = iter(record.read_bytes().decode().split("\0"))
    while count := next(words, ""):
        command, *options = (next(words) for _ in range(int(count)))
        pairs = (next(words).partition("=") for _ in range(int(next(words))))
        environ = {name: value for name, _, value in pairs}
        if command in ("create", "run"):
            yield Created(parser().parse_args(options), environ)


def _replica(made: Created) -> Replica:
    devices = made.gpus or amd(made.options.device)
    return Replica(
        argv=made.argv,
        env=made.env,
        image=made.options.image,
        port=port_of(made.options.health_cmd),
        gpus=len(devices),
        devices=devices,
        shm=size_of(made.options.shm_size),
        mounts=frozenset((mount["dst"], "readonly" in mount) for mount in made.mounts),
        files=texts({mount["dst"]: mount["src"] for mount in made.mounts}),
    )


def _fetch(made: Created) -> Fetch:
    return Fetch(made.argv, without_token(made.env), made.env.get("HF_TOKEN"))
