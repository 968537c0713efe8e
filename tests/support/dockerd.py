"""A real docker daemon for tests, with local images of vLLM and nginx; scripts/dockerd.py is what runs it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from support.tools import ROOT, missing, tool

# The scripts are no package: they find each other by their bare names.
sys.path.append(str(ROOT / "scripts"))
import dockerd as script
from dockerd import Dockerd, sweep
from installing import UnavailableError
from make_images import IMAGES, outdated

__all__ = ["NGINX_IMAGE", "ONE_DAEMON", "VLLM_IMAGE", "Dockerd", "started", "sweep"]

VLLM_IMAGE, NGINX_IMAGE = (image.name for image in IMAGES)
# For every test that asks for the daemon: a machine has room for one, so one worker has to run them all.
ONE_DAEMON = pytest.mark.xdist_group("dockerd")


@contextmanager
def started() -> Iterator[Dockerd]:
    """The daemon, with Compose as a plugin of `docker`; without containers before and after."""
    if not script.DATA.exists():
        missing("a dockerd with local images", "make images")
    with ExitStack() as stack:
        try:
            daemon = stack.enter_context(script.dockerd())
        except UnavailableError as error:
            missing(f"a dockerd with local images ({str(error).splitlines()[0]})", "make images")
        for image in outdated(daemon):
            missing(f"the local image {image.name}, as it is made today,", "make images")
        plugins = daemon.config / "cli-plugins"
        plugins.mkdir()
        (plugins / "docker-compose").symlink_to(tool("docker-compose").resolve())
        yield daemon
