"""Every spec that the suite has, right or broken, can be moved: no crash, no comment lost of what stays, no text that does not parse."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmdeploy.compiler import Result, compile
from llmdeploy.registry import ENGINES
from llmdeploy.rewrite import migrate, upgrade
from llmdeploy.rewrite.edit import CannotEdit
from llmdeploy.rewrite.outcome import outcome
from llmdeploy.rewrite.report import Rewrite, document, lines
from llmdeploy.rewrite.subject import engine_of, table_of, version_of
from llmdeploy.source import read

ROOT = Path(__file__).parents[2]
FOLDERS = ("tests/diagnostics/err", "tests/diagnostics/ok", "examples")
SPECS = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.yaml"))


def compiled(text: str) -> Result:
    return compile(text, emit=False)


def rewrites(before: Result, model: str) -> list[Rewrite]:
    assert before.spec is not None
    table = table_of(engine_of(before, model))
    if table is None:
        return []
    stated, version = before.source.data["models"][model], version_of(before.spec, model, table)
    ways = [migrate.plan(model, stated, table, ENGINES[to].table, version) for to in ("vllm", "sglang")]
    releases = ENGINES[table.name].releases()
    ways += [upgrade.plan(model, stated, table, (version, new)) for new in (releases[0], releases[-1])]
    return ways


@pytest.mark.parametrize("spec", SPECS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_it_can_be_moved(spec: Path) -> None:
    before = compiled(spec.read_bytes().decode("utf-8-sig", "replace"))
    for model in before.spec.models if before.spec else ():
        for rewrite in rewrites(before, model):
            assert document(rewrite, before.source)["items"] is not None and list(
                lines(rewrite, before.source)
            )
            try:
                found = outcome(before, [rewrite], compiled)
            except CannotEdit:
                assert "&" in before.source.text
                continue
            text = found.after.source.text
            assert read(text)[1] == []
            comments = [c.text for c in before.source.comments if "llmdeploy: allow" not in c.text]
            gone = [comment.text for comment in found.lost]
            assert [comment for comment in comments if comment not in gone and comment not in text] == []
