"""A machine for `llmdeploy init` to ask."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.starter import Tool


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tool:
    """tool(name, stdout, status=0): puts a program of this name on a PATH that has no other."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.chdir(tmp_path)

    def put(name: str, stdout: str, status: int = 0, before: str = "") -> None:
        (folder / f"{name}.out").write_text(stdout)
        script = folder / name
        read = f'while IFS= read -r line; do printf "%s\\n" "$line"; done < "{folder}/{name}.out"'
        script.write_text(f"#!/bin/sh\n{before}\n{read}\nexit {status}\n")
        script.chmod(0o755)

    return put
