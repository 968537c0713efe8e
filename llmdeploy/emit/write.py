"""Writes artifacts: all or nothing as far as a file system allows, and never over somebody's own work.

`.llmdeploy-manifest.json` records the path and sha256 of every generated file. A rebuild removes what it
generated before and no longer does, leaves files that it did not write, and refuses to overwrite one that
was edited by hand.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from msgspec import Struct

from llmdeploy.emit.artifact import Artifact

MANIFEST = ".llmdeploy-manifest.json"


class WriteError(Exception):
    """The output cannot be written; `code` is its diagnostic, `help` the remedy."""

    def __init__(self, code: str, message: str, help: str) -> None:
        super().__init__(message)
        self.code, self.message, self.help = code, message, help


class Written(Struct, frozen=True):
    """Paths relative to the output, sorted."""

    created: tuple[str, ...]
    changed: tuple[str, ...]
    unchanged: tuple[str, ...]
    removed: tuple[str, ...]


def write(
    artifacts: Sequence[Artifact], output: Path, *, force: bool = False, scope: Iterable[str] = ()
) -> Written:
    """Write the artifacts below `output`.

    `scope` names the top-level folders that this build is about: with `build -t docker` the other targets'
    files stay as they are. Empty means all. Raises WriteError before anything is changed where a file was
    edited by hand (unless `force`) or is not ours, and with the rest intact where the disk refuses.
    """
    wanted = {artifact.path: artifact for artifact in artifacts}
    before, pending = _manifest(output)
    folders = tuple(f"{name}/" for name in scope)
    ours = {
        path for path in (*before, *pending) if not folders or path.startswith(folders) or "/" not in path
    }
    stale = sorted(ours - wanted.keys())
    state = {path: _digest(output / path) for path in (*wanted, *stale)}
    if not force:
        _refuse_edited(output, state, (before, pending), wanted)
    kept = {path: digest for path, digest in before.items() if path not in ours}
    coming = {path: _sha(artifact.text) for path, artifact in wanted.items()}
    try:
        with _staged(output, wanted, state) as staged:
            # Said beforehand, so that after a kill half-way neither the old nor the new file looks edited.
            _write_manifest(output, before, coming)
            result = _replace(output, wanted, stale, state, staged)
        _write_manifest(output, {**kept, **coming})
    except OSError as error:
        raise WriteError(
            "LD902",
            f"cannot write {error.filename or output}: {error.strerror or error}",
            "see that there is space and leave to write, or choose another directory with `-o DIR`, then build again; "
            "nothing is lost: a file is replaced whole or not at all",
        ) from error
    return result


@contextmanager
def _staged(
    output: Path, wanted: Mapping[str, Artifact], state: Mapping[str, str | None]
) -> Iterator[dict[str, Path]]:
    """Write what differs to temporary files: every byte is on the disk before the first file is replaced."""
    staged: dict[str, Path] = {}
    try:
        for path, artifact in sorted(wanted.items()):
            if state[path] != _sha(artifact.text) or not _mode_is_right(output / path, artifact):
                staged[path] = stage(output / path, artifact)
        yield staged
    finally:
        for temporary in staged.values():
            temporary.unlink(missing_ok=True)


def _replace(
    output: Path,
    wanted: Mapping[str, Artifact],
    stale: Sequence[str],
    state: Mapping[str, str | None],
    staged: Mapping[str, Path],
) -> Written:
    for path, temporary in staged.items():
        temporary.replace(output / path)
    removed = [path for path in stale if state[path] is not None]
    for path in removed:
        (output / path).unlink(missing_ok=True)
        _remove_empty_parents(output, output / path)
    return Written(
        created=tuple(path for path in staged if state[path] is None),
        changed=tuple(path for path in staged if state[path] is not None),
        unchanged=tuple(sorted(wanted.keys() - staged.keys())),
        removed=tuple(removed),
    )


def stage(final: Path, artifact: Artifact) -> Path:
    """Write the artifact to a temporary file beside `final`, which it may then replace."""
    final.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".llmdeploy-", dir=final.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as stream:
            stream.write(artifact.text)
        temporary.chmod(0o755 if artifact.executable else 0o644)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return temporary


def _mode_is_right(path: Path, artifact: Artifact) -> bool:
    return bool(path.stat().st_mode & 0o100) == artifact.executable


def _refuse_edited(
    output: Path,
    state: Mapping[str, str | None],
    known: Sequence[Mapping[str, str]],
    wanted: Mapping[str, Artifact],
) -> None:
    for path, digest in sorted(state.items()):
        generated = {files[path] for files in known if path in files}
        if digest is None or digest in generated or (path in wanted and digest == _sha(wanted[path].text)):
            continue
        what = "was edited by hand" if generated else "is there and was not made by llmdeploy"
        raise WriteError(
            "LD901",
            f"{output / path} {what}",
            "move the change into llm.yaml (`targets.kubernetes.patches`, `targets.compose.overrides`), "
            "or overwrite it with `--force`, or build elsewhere with `-o DIR`",
        )


def _manifest(output: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Return the files of the last build, and those of one that may have been killed half-way."""
    try:
        manifest = json.loads((output / MANIFEST).read_text(encoding="utf-8"))
        return _files(manifest["files"]), _files(manifest.get("pending", {}))
    except (FileNotFoundError, NotADirectoryError):
        return {}, {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise WriteError(
            "LD901",
            f"{output / MANIFEST} cannot be read, so what is generated there is not known: {error}",
            "remove the directory, or build elsewhere with `-o DIR`",
        ) from error


def _files(entries: Mapping[str, str]) -> dict[str, str]:
    return {str(path): str(sha) for path, sha in entries.items() if _is_inside(str(path))}


def _is_inside(path: str) -> bool:
    # The manifest names files to be removed: one that was tampered with must not reach outside.
    return not path.startswith("/") and ".." not in path.split("/")


def _write_manifest(output: Path, files: Mapping[str, str], pending: Mapping[str, str] | None = None) -> None:
    content: dict[str, object] = {"version": 1, "files": dict(sorted(files.items()))}
    if pending:
        content["pending"] = dict(sorted(pending.items()))
    text = json.dumps(content, indent=1) + "\n"
    stage(output / MANIFEST, Artifact(MANIFEST, text)).replace(output / MANIFEST)


def _digest(path: Path) -> str | None:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise WriteError(
            "LD902",
            f"cannot read {path}: {error.strerror}",
            "make it a readable file, or build elsewhere with `-o DIR`",
        ) from error


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _remove_empty_parents(top: Path, path: Path) -> None:
    with suppress(OSError):
        for parent in path.parents:
            if parent == top:
                return
            parent.rmdir()
