"""Each engine's releases, had from wherever they are, oldest first."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import read_tgi
import yaml
from merge import Catalog, Dump, expand, merge
from packages import ROOT, UnavailableError, unpacked
from read_source import differences

HERE = Path(__file__).resolve().parent
RELEASES: Mapping[str, list[dict[str, Any]]] = yaml.safe_load((HERE / "releases.yaml").read_text())
ENGINES = tuple(RELEASES)

Row = Mapping[str, Any]
Had = tuple[Mapping[str, str], Dump]
"""A release as the catalog names it, and what it has."""


def rebuilt(engine: str, old: Catalog | None, tgi: str | None) -> Catalog:
    """Make a catalog anew; a release that cannot be had stays as it was."""

    def have(row: Row) -> Had | None:
        version = row["version"]
        try:
            release, dump = _from_git(row, tgi) if "commit" in row else _from_python(engine, row)
        except UnavailableError as reason:
            kept = _kept(old, version)
            print(f"{engine} {version}: {'kept' if kept else 'LEFT OUT'}, {reason}", file=sys.stderr)
            return kept
        print(f"{engine} {version}: {len(dump['flags'])} flags", file=sys.stderr)
        return release, dump

    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        had = [one for one in pool.map(have, RELEASES[engine]) if one is not None]
    if not had:
        raise SystemExit(f"{engine}: no release can be had")
    return merge(engine, had)


def dump_installed(engine: str, python: str) -> Dump:
    """Ask the engine of an environment below .tools for its flags; `version` is its own too."""
    return _asked(engine, python, None, ())


def installed(engine: str, python: str) -> Path:
    """Return the folder of an engine's package in an environment below .tools."""
    return next((ROOT / ".tools" / python / "lib").glob(f"python3*/site-packages/{engine}"))


def _from_python(engine: str, row: Row) -> Had:
    version, python = row["version"], row["python"]
    folder = unpacked(engine, version, row["file"], row["sha256"]) if "file" in row else None
    dump = _asked(engine, python, folder, row.get("stand_ins", ()))
    if dump["version"] != version:
        raise UnavailableError(f"{python} has {dump['version']}")
    if found := differences(engine, folder / engine if folder else installed(engine, python), dump):
        raise SystemExit(f"{engine} {version}: parser and source differ in {', '.join(found)}")
    source = f"parser imported with the packages of scripts/requirements/{python}.txt"
    if folder is not None:
        source = f"{row['file']} (sha256 {row['sha256']}), {source}"
    return {"version": version, "how": "live", "source": source}, dump


def _asked(engine: str, python: str, folder: Path | None, stand_ins: tuple[str, ...]) -> Dump:
    program = ROOT / ".tools" / python / "bin" / "python"
    if not program.exists():
        raise UnavailableError(f".tools/{python} is not here: run `make oracles`")
    # No variable of this shell may reach the engine: some change defaults.
    environment = {"PATH": os.defpath, "HOME": "/nonexistent", "PYTHONHASHSEED": "0"}
    if folder is not None:
        environment["PYTHONPATH"] = str(folder)
    command = [program, HERE / f"dump_{engine}.py", *stand_ins]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd="/")
    if done.returncode:
        raise UnavailableError(f"its parser was not built:\n{done.stderr.strip()[-1500:]}")
    dump: Dump = json.loads(done.stdout)
    return dump


def _from_git(row: Row, checkout: str | None) -> Had:
    if checkout is None:
        raise UnavailableError("no checkout was named")
    where = f"huggingface/text-generation-inference {row['commit'][:12]} (tag v{row['version']})"
    release = {
        "version": row["version"],
        "how": "source",
        "source": f"{where}, {read_tgi.LAUNCHER} and what reads variables",
    }
    try:
        return release, read_tgi.read(checkout, row["commit"])
    except subprocess.CalledProcessError as error:
        raise UnavailableError(error.stderr.strip()) from None


def _kept(old: Catalog | None, version: str) -> Had | None:
    for release in (old or {}).get("releases", ()):
        if release["version"] == version:
            assert old is not None
            return release, expand(old, version)
    return None
