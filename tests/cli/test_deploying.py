"""`apply`, `down` and `smoke-test` on a command line that cannot be meant."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result
from support import tiny

from llmdeploy.cli import cli


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    (tmp_path / "model").mkdir()
    path = tmp_path / "llm.yaml"
    path.write_text(yaml.safe_dump(tiny.spec()))
    return path


def run(*argv: str | Path, **options: str) -> Result:
    return CliRunner().invoke(cli, [str(word) for word in argv], **options)


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["apply", "-t", "docker", "--timeout", "nan"], "more than 0"),
        (["apply", "-t", "docker", "--timeout", "inf"], "more than 0"),
        (["apply", "-t", "docker", "-t", "compose"], "Name one target"),
        (["apply", "-t", "docker", "--context", "x"], "--context names a cluster"),
        (["down", "-t", "compose", "--context", "x"], "--context names a cluster"),
        (["smoke-test", "-t", "docker", "--against", "http://127.0.0.1:9"], "Choose one of"),
        (["smoke-test", "--engine-bin", "/"], "is for --runtime process"),
        (["smoke-test", "--runtime", "process", "--engine-bin", "vlm=/tmp"], "'vlm' is not one of vllm"),
        (["smoke-test", "--runtime", "process", "--engine-bin", "vllm="], "is no directory"),
        (["smoke-test", "--junit", "/proc/x.xml"], "cannot be written"),
        (["smoke-test", "--against", "127.0.0.1:9"], "is no http URL"),
        (["smoke-test", "--against", "http://a..b/"], "is no URL"),
        (["smoke-test", "--against", "http://127.0.0.1:9/\u00fc"], "is no URL"),
        (["smoke-test", "--against", "http://u:secret@127.0.0.1:9/"], "name no user"),
    ],
)
def test_it_is_refused_before_anything_happens(argv: list[str], told: str, spec: Path) -> None:
    name, *options = argv
    result = run(name, spec, *options)
    assert result.exit_code == 2, result.output
    assert told in result.output
    assert "secret" not in result.output
    assert not (spec.parent / "out").exists()


@pytest.mark.parametrize("name", ["apply", "down"])
def test_a_file_for_several_targets_asks_which(name: str, spec: Path) -> None:
    several = {**tiny.spec(), "targets": {"docker": {}, "compose": {}}}
    result = run(name, "-", input=yaml.safe_dump(several))
    assert result.exit_code == 2
    assert "Name one target, like `-t docker`, of docker, compose." in result.output


@pytest.mark.parametrize("name", ["apply", "down", "smoke-test"])
def test_errors_in_the_file_come_first(name: str) -> None:
    result = run(name, "-", input="version: 1\nmodels: 3\n")
    assert result.exit_code == 1
    assert "error[LD1" in result.output
