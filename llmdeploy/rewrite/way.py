"""One model on its way to another engine or release: what has been said and edited so far."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct, field

from llmdeploy.diagnostics import Path
from llmdeploy.diagnostics.redact import MASK, is_secret, redact
from llmdeploy.engines.table import Table
from llmdeploy.rewrite.edits import Edit, Put, Remove, Rename, value_at
from llmdeploy.rewrite.report import Item, Kind, shown
from llmdeploy.spec.model import Model

_ORDER = tuple(Model.model_fields)
"""The order in which the fields of a model are documented."""


class Way(Struct, frozen=True):
    """`stated` is the model as llm.yaml has it; paths are below the model."""

    model: str
    stated: Mapping[str, Any]
    before: Table
    after: Table
    items: list[Item] = field(default_factory=list)
    edits: list[Edit] = field(default_factory=list)

    def entries(self, home: str) -> Mapping[str, Any]:
        """Return `engine_args` or `env`."""
        value = self.stated.get(home)
        return value if isinstance(value, dict) else {}

    def says(self, path: Path) -> bool:
        """Tell whether the model states this, or is going to."""
        mine, said = self._path(path), value_at(self.stated, path) is not None
        for edit in self.edits:
            if edit.path == mine[: len(edit.path)]:
                said = isinstance(edit, Put) and value_at(edit.value, mine[len(edit.path) :]) is not None
            if isinstance(edit, Rename) and (*edit.path[:-1], edit.name) == mine:
                said = True
        return said

    def shown(self, path: Path, value: Any) -> str:
        """Return an entry for the report, without credentials."""
        text = MASK if is_secret(self._path(path), value) else redact(shown(value))
        return f"{'.'.join(map(str, path))}: {text}"

    def say(
        self,
        kind: Kind,
        subject: str,
        becomes: str | None = None,
        *,
        at: Path | None = None,
        **more: str | None,
    ) -> None:
        self.items.append(Item(kind, subject, becomes, at=at, **more))

    def put(self, path: Path, value: Any, instead_of: Path | None = None) -> None:
        """State something, perhaps for an entry that goes; a new field stands where its documentation has it."""
        before = _ORDER[: _ORDER.index(str(path[0]))]
        after = tuple(reversed(before)) if len(path) == 1 else ()
        self.edits.append(
            Put(self._path(path), value, after, (self._path(instead_of),) if instead_of else ())
        )

    def state(self, path: Path, value: Any, instead_of: Path | None = None) -> bool:
        """State what is not stated yet, as `put` does; tell whether it was so. A short form is `true`, or says it all."""
        short = self.stated.get(str(path[0])) if len(path) > 1 else None
        if short is False or self.says(path):
            return False
        if short is True:
            self.put(path[:1], {str(path[1]): value}, instead_of)
        else:
            self.put(path, value, instead_of)
        return True

    def rename(self, path: Path, name: str, *value: Any) -> None:
        self.edits.append(Rename(self._path(path), name, *value))

    def remove(self, path: Path) -> None:
        self.edits.append(Remove(self._path(path)))

    def _path(self, path: Path) -> Path:
        return ("models", self.model, *path)
