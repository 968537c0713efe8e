"""The same input gives the same bytes, and what is written is whole, ours to replace, or left alone."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import golden, specs

from llmdeploy.emit import Artifact
from llmdeploy.emit import write as writing
from llmdeploy.emit.write import MANIFEST, WriteError, write

A = Artifact("docker/up.sh", "one\n", executable=True)
B = Artifact("compose/compose.yaml", "two\n")
README = Artifact("README.md", "read\n")


@pytest.mark.parametrize("example", specs.examples())
def test_same_input_same_bytes(example):
    first, second = specs.compile_example(example), specs.compile_example(example)
    assert first.artifacts == second.artifacts
    assert first.artifacts


@pytest.mark.parametrize("seed", ["0", "1"])
def test_same_bytes_in_another_process_from_another_directory(seed, tmp_path):
    """Neither the hash seed nor the working directory nor the clock nor the locale has a say."""
    spec = specs.EXAMPLES / "08-complete/llm.yaml"
    environ = {**os.environ, "PYTHONHASHSEED": seed, "LC_ALL": "C", "TZ": "Asia/Tokyo", "PYTHONUTF8": "0"}
    done = subprocess.run(
        [sys.executable, "-m", "llmdeploy", "build", "--quiet", os.path.relpath(spec, tmp_path), "-o", "out"],
        cwd=tmp_path,
        env=environ,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    written = {path: text for path, text in golden.read(tmp_path / "out").items() if path != MANIFEST}
    same = {artifact.path: artifact.text for artifact in specs.compile_example("08-complete").artifacts}
    assert written == same


def test_a_rebuild_changes_nothing(tmp_path):
    write([A, B, README], tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.name != MANIFEST}
    assert set(write([A, B, README], tmp_path).unchanged) == {A.path, B.path, README.path}
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_a_rebuild_removes_what_is_no_longer_made(tmp_path):
    write([A, B], tmp_path)
    (tmp_path / "docker/notes.txt").write_text("mine")
    assert write([B], tmp_path).removed == (A.path,)
    assert golden.read(tmp_path).keys() == {B.path, "docker/notes.txt", MANIFEST}


def test_an_empty_directory_goes_with_its_last_file(tmp_path):
    write([A, B], tmp_path)
    write([B], tmp_path)
    assert not (tmp_path / "docker").exists()


@pytest.mark.parametrize("rebuilt", [[A, B], [B]], ids=["to be replaced", "to be removed"])
def test_a_file_edited_by_hand_is_kept(tmp_path, rebuilt):
    write([A, B], tmp_path)
    (tmp_path / A.path).write_text("mine\n")
    with pytest.raises(WriteError) as refused:
        write(rebuilt, tmp_path)
    assert refused.value.code == "LD901"
    assert (tmp_path / A.path).read_text() == "mine\n"
    assert (tmp_path / B.path).read_text() == B.text


def test_a_file_of_somebody_else_is_kept(tmp_path):
    (tmp_path / "README.md").write_text("mine\n")
    with pytest.raises(WriteError) as refused:
        write([A, README], tmp_path)
    assert refused.value.code == "LD901"
    assert golden.read(tmp_path) == {"README.md": "mine\n"}


def test_force_overwrites(tmp_path):
    write([A, B], tmp_path)
    (tmp_path / A.path).write_text("mine\n")
    assert write([A, B], tmp_path, force=True).changed == (A.path,)
    assert (tmp_path / A.path).read_text() == A.text


def test_a_build_of_one_target_keeps_the_others(tmp_path):
    write([A, B, README], tmp_path)
    changed = Artifact(A.path, "three\n", executable=True)
    write([changed, README], tmp_path, scope=["docker"])
    files = golden.read(tmp_path)
    assert (files[A.path], files[B.path]) == ("three\n", B.text)
    # They stay ours: a later build of everything may remove them.
    assert write([changed], tmp_path).removed == (README.path, B.path)


def test_scripts_can_be_run_and_nothing_else(tmp_path):
    write([A, B], tmp_path)
    assert os.access(tmp_path / A.path, os.X_OK)
    assert not (tmp_path / B.path).stat().st_mode & 0o111


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """64 KiB. Where a file system may not be mounted, the space to write is what runs out."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", disk], capture_output=True)
    if mounted.returncode == 0:
        yield disk
        subprocess.run(["umount", disk], check=True)
        return
    stage = writing.stage

    def full(final: Path, artifact: Artifact) -> Path:
        if len(artifact.text) > 60_000:
            raise OSError(errno.ENOSPC, "No space left on device", str(final))
        return stage(final, artifact)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writing, "stage", full)
        yield disk


def test_a_full_disk_loses_nothing(small_disk):
    write([A, B], small_disk)
    before = golden.read(small_disk)
    large = Artifact("docker/z", "x" * 100_000 + "\n")
    with pytest.raises(WriteError) as refused:
        write([Artifact(A.path, "new\n", executable=True), large], small_disk)
    assert refused.value.code == "LD902"
    assert golden.read(small_disk) == before
    assert write([A, B], small_disk).unchanged == (B.path, A.path)


def test_a_file_where_a_directory_should_be(tmp_path):
    (tmp_path / "docker").write_text("mine\n")
    with pytest.raises(WriteError) as refused:
        write([A], tmp_path)
    assert refused.value.code in ("LD901", "LD902")
    assert (tmp_path / "docker").read_text() == "mine\n"


KILLED = """
import itertools, sys
from pathlib import Path
from llmdeploy.emit import Artifact
from llmdeploy.emit.write import write

for n in itertools.count():
    write([Artifact(f"docker/{i}", f"{n} " * 20_000 + "\\n") for i in range(20)], Path(sys.argv[1]))
    print(n, flush=True)
"""


@pytest.mark.parametrize("delay", [0.0, 0.003, 0.01, 0.02])
def test_a_kill_leaves_whole_files(delay, tmp_path):
    """Each file is one build's or the next one's, and so is the list of them."""
    process = subprocess.Popen([sys.executable, "-c", KILLED, tmp_path], stdout=subprocess.PIPE, text=True)
    assert process.stdout and process.stdout.readline()
    time.sleep(delay)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    files = list((tmp_path / "docker").glob("[0-9]*"))
    assert len(files) == 20
    for path in files:
        words = path.read_text().split()
        assert len(words) == 20_000
        assert len(set(words)) == 1
    json.loads((tmp_path / MANIFEST).read_text())


def test_an_interrupted_build_is_finished_by_the_next(tmp_path, monkeypatch):
    write([A, B, README], tmp_path)
    new = [Artifact(each.path, f"new {each.text}", each.executable) for each in (A, B, README)]
    replace, count = Path.replace, iter(range(9))

    def interrupted(self: Path, target: Path) -> Path:
        if next(count) == 1:
            raise KeyboardInterrupt
        return replace(self, target)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Path, "replace", interrupted)
        write(new, tmp_path)
    files = golden.read(tmp_path)
    assert sorted(files) == sorted([MANIFEST, *(each.path for each in new)])
    assert {files[each.path] for each in (A, B, README)} <= {
        text for old in (A, B, README) for text in (old.text, f"new {old.text}")
    }
    write(new, tmp_path)
    assert {path: text for path, text in golden.read(tmp_path).items() if path != MANIFEST} == {
        each.path: each.text for each in new
    }
