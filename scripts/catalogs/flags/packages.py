"""Releases of an engine as the package index has them, unpacked for an engine's Python to import."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
import urllib.parse
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
CACHE = ROOT / ".cache" / "catalogs"


class UnavailableError(Exception):
    """A release that cannot be had here and now."""


def unpacked(package: str, version: str, file: str, sha256: str) -> Path:
    """Return a folder with the Python sources of a release, and a note that names its version."""
    folder = CACHE / f"{package}-{version}"
    if not folder.is_dir():
        archive = _archive(package, file, sha256)
        partial = folder.with_name(f"{folder.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        for name, content in _members(archive):
            # A sdist has everything below a folder of its own name.
            inside = Path(name.removeprefix(f"{package}-{version}/"))
            if inside.parts[0] == package and ".." not in inside.parts:
                (partial / inside).parent.mkdir(parents=True, exist_ok=True)
                (partial / inside).write_bytes(content)
        metadata = partial / f"{package}-{version}.dist-info" / "METADATA"
        metadata.parent.mkdir()
        # Until 0.28 vLLM knows by its own version alone that it is one for CPUs.
        local = "+cpu" if package == "vllm" else ""
        metadata.write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}{local}\n")
        partial.rename(folder)
    return folder


def _archive(package: str, file: str, sha256: str) -> Path:
    path = CACHE / file
    if not path.is_file():
        content = _get(_addresses(package)[file])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    if (found := hashlib.sha256(path.read_bytes()).hexdigest()) != sha256:
        raise UnavailableError(f"{file} is {found} and not {sha256}")
    return path


def _members(archive: Path) -> Iterator[tuple[str, bytes]]:
    """Every file that Python code may read while it is imported."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            yield from ((name, wheel.read(name)) for name in wheel.namelist() if _wanted(name))
    else:
        with tarfile.open(archive) as sdist:
            for member in sdist:
                if member.isfile() and _wanted(member.name):
                    content = sdist.extractfile(member)
                    assert content is not None
                    yield member.name, content.read()


def _wanted(name: str) -> bool:
    return name.endswith((".py", ".json", ".yaml"))


def _addresses(package: str) -> dict[str, str]:
    """Every file of a package, by the simple API in JSON (PEP 691)."""
    page = f"{_index().rstrip('/')}/{package}/"
    listed = json.loads(_get(page, accept="application/vnd.pypi.simple.v1+json"))
    return {row["filename"]: urllib.parse.urljoin(page, row["url"]) for row in listed["files"]}


def _index() -> str:
    """The index that pip is configured for, or else pip's own."""
    for name in ("global.index-url", ":env:.index-url"):
        asked = [sys.executable, "-m", "pip", "config", "get", name]
        done = subprocess.run(asked, capture_output=True, text=True)
        if done.returncode == 0:
            return done.stdout.strip()
    from pip._internal.models.index import PyPI

    return str(PyPI.simple_url)


def _get(address: str, accept: str = "*/*") -> bytes:
    try:
        request = urllib.request.Request(address, headers={"Accept": accept})
        with urllib.request.urlopen(request, timeout=300) as answer:
            content: bytes = answer.read()
            return content
    except OSError as error:
        raise UnavailableError(f"{address.rpartition('/')[2] or address}: {error}") from None
