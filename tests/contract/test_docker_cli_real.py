"""What docker's own command line makes of up.sh: the container that a daemon is asked for."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from msgspec.structs import replace
from support import plans
from support.fake_dockerd import Daemon, dockerd
from support.tools import tool

from llmdeploy.plan.model import Plan
from llmdeploy.targets.docker import TARGET

pytestmark = pytest.mark.needs("docker")

SECRETS = {"LLM_API_KEY": "s3cret key"}
PLANS = {name: plan for name, plan in plans.ALL.items() if name not in ("built", "clash")}


def up(plan: Plan, folder: Path, daemon: Daemon) -> None:
    """Run up.sh, less the downloads: those are attached to a terminal that nobody fakes here."""
    fetched = replace(plan, services=tuple(replace(each, download=None) for each in plan.services))
    for artifact in TARGET.emit(fetched):
        path = folder / artifact.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(artifact.text)
    own = {"DOCKER": str(tool("docker")), "DOCKER_HOST": daemon.host, "DOCKER_CONFIG": str(folder)}
    environ = {**os.environ, **SECRETS, **own, "HOME": str(folder)}
    done = subprocess.run(
        ["bash", folder / "docker/up.sh"], env=environ, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_the_daemon_is_asked_for_what_the_plan_says(plan: Plan, tmp_path: Path) -> None:
    """Above all the GPUs: `--gpus device=0,1`, one pair of quotes short, asks for one."""
    with dockerd() as daemon:
        up(plan, tmp_path, daemon)
    for service in plan.services:
        made = daemon.containers[f"proj-{service.name}"]
        host, secrets = made["HostConfig"], service.launch.secret_env
        env = {**service.launch.env, **{key: SECRETS[secret.env or ""] for key, secret in secrets.items()}}
        assert (*made["Entrypoint"], *made["Cmd"]) == service.launch.argv
        assert sorted(made["Env"]) == sorted(f"{key}={value}" for key, value in env.items())
        assert [(each["Target"], each.get("ReadOnly", False)) for each in host["Mounts"]] == [
            (mount.target, mount.read_only) for mount in service.mounts
        ]
        assert host["ShmSize"] == service.shm_gib << 30
        assert made["StopTimeout"] == service.drain.grace_s
        if service.gpus.vendor == "nvidia":
            (request,) = host["DeviceRequests"]
            assert tuple(request["DeviceIDs"]) == service.gpus.devices[0]
            assert request["Count"] == 0


def test_the_gateway_is_on_both_networks_before_it_starts(tmp_path: Path) -> None:
    with dockerd() as daemon:
        up(plans.ONE, tmp_path, daemon)
    assert daemon.containers["proj-gateway"]["HostConfig"]["NetworkMode"] == "proj-edge"
    assert daemon.changes[-2:] == ["networks/proj-engines/connect", "containers/proj-gateway/start"]


def test_a_second_run_asks_for_nothing_new(tmp_path: Path) -> None:
    with dockerd() as daemon:
        up(plans.HYBRID, tmp_path, daemon)
        daemon.changes.clear()
        up(plans.HYBRID, tmp_path, daemon)
    assert not [change for change in daemon.changes if change.startswith("containers")]
