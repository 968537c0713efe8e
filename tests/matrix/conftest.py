"""What every test of the matrix may need."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support import outside

from llmdeploy import registry


@pytest.fixture(scope="module")
def installed_outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The engine and the target `acme`, as if their package were installed."""
    folder = tmp_path_factory.mktemp("site")
    outside.install(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        registry._entry_points.cache_clear()
        yield folder
    registry._entry_points.cache_clear()
    registry.ENGINES._loaded.pop(outside.NAME, None)
    registry.TARGETS._loaded.pop(outside.NAME, None)
