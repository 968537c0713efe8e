"""No field of llm.yaml is without effect: something that runs changes, or a diagnostic says why nothing does.

The fields are those of the models, so a new one fails here until it has a row. Comments and hashes do not
count as a change, nor does what people read (README.md).
"""

from __future__ import annotations

import pytest
from effects import BASE, ROWS, Row, edited, path
from effects.fields import field_of, fields
from effects.seen import observed, speaks_of
from support import specs


def test_every_field_has_a_row():
    rows = {field_of(path(row)) for row in ROWS}
    every = set(fields())
    assert every - rows == set(), "fields without a row"
    assert rows - every == set(), "rows without a field"


@pytest.mark.parametrize("name", ROWS)
def test_field_has_an_effect(name, tmp_path):
    row = ROWS[name] if isinstance(ROWS[name], Row) else Row({name: ROWS[name]})
    base = edited(BASE, row.given)
    before = specs.compiled(base, base["targets"])
    assert before.ok, [(found.code, found.path, found.message) for found in before.diagnostics]
    changed = edited(base, row.change)
    after = specs.compiled(changed, changed["targets"])
    known = {(found.code, found.path) for found in before.diagnostics}
    said = [found for found in after.diagnostics if (found.code, found.path) not in known]
    assert any(speaks_of(found, path(name)) for found in said) or (
        after.ok and observed(before, name, tmp_path / "a") != observed(after, name, tmp_path / "b")
    ), [(found.code, found.path, found.message) for found in said]
