"""The only Jinja environment: scripts, gateway configuration, prose and a page. No template makes YAML."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from llmdeploy import resources
from llmdeploy.emit import shell

if TYPE_CHECKING:
    from jinja2 import Environment


def render(template: str, **values: Any) -> str:
    """Return templates/TEMPLATE filled in. A name that it uses and `values` lacks is an error."""
    return _environment().get_template(template).render(values)


@cache
def _environment() -> Environment:
    # Imported here: 40 ms that `validate` and `plan` need not pay.
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    environment = Environment(
        loader=FunctionLoader(lambda name: resources.read_text(f"templates/{name}")),
        undefined=StrictUndefined,
        # Elsewhere each template quotes with `sh`.
        autoescape=lambda name: name is not None and name.endswith(".html.j2"),
        keep_trailing_newline=True,
    )
    environment.filters["sh"] = shell.quote
    return environment
