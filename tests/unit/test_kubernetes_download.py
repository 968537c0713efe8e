"""The two scripts of the download, run by a real sh."""

from __future__ import annotations

import subprocess
from pathlib import Path

from llmdeploy.targets.kubernetes.download import FETCH, WAIT


def fetch(marker: Path, *command: str) -> int:
    return subprocess.run(["sh", "-c", FETCH, "download", str(marker), *command], check=False).returncode


def test_weights_are_fetched_once(tmp_path: Path) -> None:
    log, marker = tmp_path / "log", tmp_path / "marker"
    again = ("sh", "-c", f"echo fetched >> '{log}'")
    assert (fetch(marker, *again), fetch(marker, *again)) == (0, 0)
    assert log.read_text() == "fetched\n"


def test_a_failure_is_passed_on_and_leaves_no_marker(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    assert fetch(marker, "sh", "-c", "exit 3") == 3
    assert not marker.exists()


def test_arguments_arrive_as_they_are(tmp_path: Path) -> None:
    fetch(
        tmp_path / "marker",
        "sh",
        "-c",
        'printf "%s|" "$@" > "$0"',
        str(tmp_path / "seen"),
        "a b",
        "original/*",
        "$X",
    )
    assert (tmp_path / "seen").read_text() == "a b|original/*|$X|"


def test_the_group_may_write_what_is_fetched(tmp_path: Path) -> None:
    fetch(tmp_path / "marker", "mkdir", str(tmp_path / "hub"))
    assert (tmp_path / "hub").stat().st_mode & 0o070 == 0o070


def test_waiting_ends_with_the_marker(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    marker.touch()
    assert subprocess.run(["sh", "-c", WAIT, "wait", str(marker)], timeout=5, check=False).returncode == 0
