"""The page of a diagnostic code. It is its own test: see tests/diagnostics."""

from __future__ import annotations

from importlib.resources import files


def page(code: str) -> str:
    """Return the Markdown of `explain/CODE.md`. Raises FileNotFoundError for a code without a page."""
    return (files("llmdeploy.diagnostics") / "explain" / f"{code}.md").read_text(encoding="utf-8")
