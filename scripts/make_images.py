#!/usr/bin/env python3
"""Make local images of vLLM and nginx, for tests on a dockerd of their own (scripts/dockerd.py).

    scripts/make_images.py

No registry is asked: Debian's packages come from the mirror that this machine's apt uses, and vLLM
from what `make oracles` installed. What is there stays, unless its recipe changed since.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dockerd import PATH, Dockerd, dockerd, program
from installing import TOOLS, UnavailableError, installing, run, say

DEBIAN = "bookworm"
PYTHON = "python3.11"  # Debian's own in that release; vLLM's packages have to be for this one
VENV = TOOLS / "vllm-0.32"
RECIPE = "io.llmdeploy.recipe"
ENV_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# Of a root filesystem: what docker mounts over, and what only apt needs.
NOT_IN_AN_IMAGE = (
    "./dev/*",
    "./proc/*",
    "./sys/*",
    "./var/lib/apt/lists/*",
    "./var/cache/apt/*",
    "./var/log/*.log",
    "./var/log/apt/*",
)
MODULES = f"usr/local/lib/{PYTHON}/dist-packages"
# Of vLLM's packages: what compiles, and what installs.
NOT_SERVING = ("triton", "torch/include", "pip", "pip-*")
# Guarded, because an engine's processes import the program that they were started from.
CONSOLE = """#!/usr/bin/python3
import sys
from {module} import main
if __name__ == "__main__":
    sys.exit(main())
"""


@dataclass(frozen=True, slots=True)
class Image:
    """Debian with `packages`, as `fill` leaves it, and with what `tar` is told to add."""

    name: str
    packages: tuple[str, ...]
    fill: Callable[[Path], None]
    changes: tuple[str, ...]
    adds: Callable[[], list[str]] = list
    made_from: Path | None = None

    @property
    def recipe(self) -> str:
        """A hash of all that decides what is in it, short of Debian's updates."""
        text = Path(__file__).read_bytes()
        if self.made_from and self.made_from.exists():
            text += self.made_from.read_bytes()
        return hashlib.sha256(text).hexdigest()[:16]


def fill_vllm(root: Path) -> None:
    """The directories and commands of vLLM's own images, and the user of those that are made for CUDA."""
    add_user(root, "vllm", "--uid", "2000", "--gid", "0", "--create-home")
    cache = root / "home/vllm/.cache"
    cache.mkdir()
    os.chown(cache, 2000, 0)
    (root / "vllm-workspace").mkdir()
    # Debian's is empty; tar adds one, and docker takes no path twice.
    (root / MODULES).rmdir()
    for command, module in (("vllm", "vllm.entrypoints.cli.main"), ("hf", "huggingface_hub.cli.hf")):
        path = root / "usr/local/bin" / command
        path.write_text(CONSOLE.format(module=module))
        path.chmod(0o755)


def vllm_packages() -> list[str]:
    """Arguments that make tar add the virtual environment's packages, from where they are."""
    packages = VENV / "lib" / PYTHON / "site-packages"
    if not (VENV / ".complete").exists():
        raise UnavailableError(f"{VENV.name}: not installed\n  remedy: `make oracles`")
    if not packages.exists():
        raise UnavailableError(f"{VENV.name}: not for {PYTHON}\n  remedy: make .venv and .tools with it")
    # Whoever serves cannot write there, and would compile everything at each start. Templates of
    # source code among the packages do not compile, which is no failure.
    compiled = [VENV / "bin/python", "-m", "compileall", "-q", "-j", "0", packages]
    subprocess.run(compiled, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    excluded = [f"--exclude=site-packages/{name}" for name in NOT_SERVING]
    return [
        *excluded,
        f"--transform=s,^site-packages,{MODULES},",
        "-C",
        str(packages.parent),
        "site-packages",
    ]


def fill_nginx(root: Path) -> None:
    """The user that the official image has; Debian's own would be www-data."""
    run("groupadd", "--root", root, "--gid", "101", "nginx", remedy="install passwd", env={"PATH": PATH})
    add_user(
        root, "nginx", "--uid", "101", "--gid", "101", "--home-dir", "/nonexistent", "--shell", "/bin/false"
    )


def add_user(root: Path, name: str, *options: str) -> None:
    run("useradd", "--root", root, *options, name, remedy="install passwd", env={"PATH": PATH})


IMAGES = (
    Image(
        # Root by default, as the vendor's. Theirs has a compiler, which nothing asks for in eager mode.
        name="vllm/vllm-openai-cpu:v0.32.0-x86_64",
        packages=("python3", "libgomp1", "libnuma1"),
        fill=fill_vllm,
        adds=vllm_packages,
        changes=('ENTRYPOINT ["vllm", "serve"]', "EXPOSE 8000", "WORKDIR /vllm-workspace"),
        made_from=VENV / ".complete",
    ),
    Image(
        # Debian's nginx under the name that is pinned: older, with every directive that is emitted.
        name="nginx:1.28.0",
        packages=("nginx",),
        fill=fill_nginx,
        changes=('CMD ["nginx", "-g", "daemon off;"]', "EXPOSE 80"),
    ),
)


def mirror() -> str:
    """The address from which this machine's own apt has that release of Debian."""
    remedy = f"make the images on Debian {DEBIAN}, or add its mirror to apt's sources"
    form = "$(CODENAME) $(COMPONENT) $(REPO_URI)"
    try:
        asked = ["apt-get", "indextargets", "--format", form, "Created-By: Packages"]
        lines = subprocess.run(asked, capture_output=True, text=True).stdout.splitlines()
    except OSError:
        lines = []
    for line in lines:
        release, component, address = line.split(maxsplit=2)
        if (release, component) == (DEBIAN, "main"):
            return address
    raise UnavailableError(f"Debian {DEBIAN}: apt knows no mirror of it\n  remedy: {remedy}")


def base() -> Path:
    """A tarball of Debian's smallest system with curl, of which both images are made."""
    home = TOOLS / f"debian-{DEBIAN}"
    with installing(home, f"Debian {DEBIAN}") as folder:
        if folder:
            root = folder / "root"
            remedy = f"see {root}/debootstrap/debootstrap.log; the mirror is that of this machine's apt"
            # A mount namespace takes along the /proc that an interrupted run leaves mounted.
            bootstrap = ("unshare", "--mount", program("debootstrap"), "--variant=minbase")
            env = {"PATH": PATH}
            run(*bootstrap, "--include=ca-certificates,curl", DEBIAN, root, mirror(), remedy=remedy, env=env)
            apt(root, "update")
            run("tar", "-C", root, "-cf", folder / "root.tar", ".", remedy="make room on the disk")
            shutil.rmtree(root)
    return home / "root.tar"


def apt(root: Path, *argv: str) -> None:
    """Run a root filesystem's own apt-get."""
    # What is installed does not start here: it would, on this machine's network.
    policy = root / "usr/sbin/policy-rc.d"
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)
    env = {"PATH": PATH, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}
    remedy = "see whether the mirror of this machine's apt answers"
    run("chroot", root, "apt-get", "-qq", "--no-install-recommends", *argv, remedy=remedy, env=env)
    policy.unlink()


@contextmanager
def unpacked(tarball: Path) -> Iterator[Path]:
    # Beside it: a /tmp may forbid device files, or lie in memory.
    with tempfile.TemporaryDirectory(dir=TOOLS, prefix="root-") as folder:
        root = Path(folder)
        run("tar", "-C", root, "-xpf", tarball, remedy="make room on the disk")
        yield root


def outdated(daemon: Dockerd) -> list[Image]:
    """The images that are not there as they are made today."""
    form = f'{{{{index .Config.Labels "{RECIPE}"}}}}'
    return [
        image
        for image in IMAGES
        if daemon.docker("image", "inspect", "--format", form, image.name).stdout.strip() != image.recipe
    ]


def make(daemon: Dockerd, image: Image) -> None:
    # First of all, so that two of them do not lie on the disk.
    daemon.docker("image", "rm", "--force", image.name)
    with unpacked(base()) as root:
        apt(root, "install", *image.packages)
        image.fill(root)
        load(daemon, image, root)


def load(daemon: Dockerd, image: Image, root: Path) -> None:
    """Stream the files into the daemon, as one layer."""
    excluded = [f"--exclude={path}" for path in NOT_IN_AN_IMAGE]
    archive = ["tar", "-c", *excluded, "-C", str(root), ".", *image.adds()]
    changes = (*image.changes, f"ENV {ENV_PATH}", f"LABEL {RECIPE}={image.recipe}")
    flags = [word for change in changes for word in ("--change", change)]
    with subprocess.Popen(archive, stdout=subprocess.PIPE) as tar:
        done = subprocess.run(
            [program("docker"), "import", *flags, "-", image.name],
            stdin=tar.stdout,
            capture_output=True,
            text=True,
            env={**os.environ, **daemon.env},
        )
    if done.returncode or tar.returncode:
        daemon.docker("image", "rm", "--force", image.name)
        why = done.stderr.strip() or f"tar ended with status {tar.returncode}"
        raise UnavailableError(f"{image.name}: {why}\n  remedy: make room on the disk, and run this again")


def size(daemon: Dockerd, image: Image) -> str:
    found = daemon.docker("image", "inspect", "--format", "{{.Size}}", image.name).stdout
    return f"{int(found) / 1e6:.0f} MB"


def main() -> int:
    try:
        with dockerd() as daemon:
            todo = outdated(daemon)
            for image in IMAGES:
                if image not in todo:
                    say(f"{image.name}: present")
                    continue
                say(f"{image.name}: making")
                start = time.monotonic()
                make(daemon, image)
                say(f"{image.name}: made in {time.monotonic() - start:.0f} s, {size(daemon, image)}")
    except UnavailableError as failure:
        say(f"cannot have {failure}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
