"""The wheel, away from the checkout."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted(path.name for path in (ROOT / "examples").iterdir() if (path / "llm.yaml").exists())


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty environment with nothing but the wheel and what it needs; returns its `llmdeploy`."""
    work = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "-q", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", "--no-deps", "-w", str(work), str(ROOT)], check=True)
    venv.create(work / "venv", with_pip=True)
    wheel = next(work.glob("llmdeploy-*.whl"))
    subprocess.run([str(work / "venv" / "bin" / "pip"), "-q", "install", str(wheel)], check=True)
    return work / "venv" / "bin" / "llmdeploy"


def run(command: Path, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [command, *arguments], cwd=cwd, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.xdist_group("wheel")
def test_the_wheel_builds_every_example_it_ships(installed: Path, tmp_path: Path) -> None:
    package = next((installed.parents[1] / "lib").glob("python*/site-packages/llmdeploy"))
    shipped = package / "_data" / "examples"
    assert sorted(path.name for path in shipped.iterdir()) == EXAMPLES
    for example in EXAMPLES:
        done = run(
            installed,
            "build",
            str(shipped / example / "llm.yaml"),
            "-o",
            str(tmp_path / example),
            cwd=tmp_path,
        )
        assert done.returncode == 0, done.stderr
        assert (tmp_path / example / "README.md").exists()


@pytest.mark.xdist_group("wheel")
def test_the_wheel_finds_its_schema_and_its_pages(installed: Path, tmp_path: Path) -> None:
    assert run(installed, "schema", cwd=tmp_path).stdout == (ROOT / "schemas" / "llm.schema.json").read_text()
    assert run(installed, "explain", "LD302", cwd=tmp_path).stdout.startswith("# LD302")
    assert "vLLM" in run(installed, "engines", cwd=tmp_path).stdout


@pytest.mark.xdist_group("wheel")
def test_the_wheel_has_the_flags_of_the_engines(installed: Path) -> None:
    package = next((installed.parents[1] / "lib").glob("python*/site-packages/llmdeploy"))
    ours = ROOT / "llmdeploy/catalog/flags"
    for path in ours.glob("*.json"):
        assert (package / "catalog/flags" / path.name).read_bytes() == path.read_bytes()
    assert sum(path.stat().st_size for path in ours.iterdir()) < 1_500_000
