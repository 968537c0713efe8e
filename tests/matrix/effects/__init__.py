"""A row for every field of llm.yaml: what it is changed to, so that `test_effect.py` sees what comes of it.

A name is where the field stands in `BASE`; its value is what it is changed to, or a whole `Row`.
"""

from __future__ import annotations

from typing import Any

from effects import facts, memory, models, pools, project, sources, targets
from effects.base import BASE
from effects.row import Row, edited, path

__all__ = ["BASE", "ROWS", "Row", "edited", "path"]

_SUBJECTS = (project, pools, models, sources, facts, memory, targets)

ROWS: dict[str, Any] = {name: row for subject in _SUBJECTS for name, row in subject.ROWS.items()}
assert len(ROWS) == sum(len(subject.ROWS) for subject in _SUBJECTS), "a field has a row in two subjects"
