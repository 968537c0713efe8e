"""The image of a Bento, which no registry has."""

from __future__ import annotations

from hashlib import sha256
from importlib.resources import files

from llmdeploy.catalog import Bento, bentos
from llmdeploy.plan.model import Build, TextFile

_TEMPLATE = (files(__package__) / "Dockerfile.tmpl").read_text(encoding="utf-8")


def build(bento: Bento, revision: str) -> tuple[str, Build]:
    """Return the image's local name, which changes with its Dockerfile, and its build context."""
    upstream = bentos()
    dockerfile = _TEMPLATE.format(
        tag=bento.tag,
        repository=upstream.repository,
        commit=upstream.commit,
        path=bento.path,
        revision=revision,
        resolve_before=upstream.resolve_before,
    )
    digest = sha256(dockerfile.encode()).hexdigest()[:12]
    name = f"llmdeploy/{bento.tag.replace(':', '-').lower()}:{digest}"
    return name, Build((TextFile("Dockerfile", dockerfile),))
