"""OpenLLM: a model is a tag of its catalog, a Bento, from which an image is built on the spot."""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec.structs import replace

from llmdeploy.catalog import Bento, bento
from llmdeploy.catalog.flag_changes import change
from llmdeploy.diagnostics import Diagnostic, Note, Place
from llmdeploy.engines.base import Lowered, Settings
from llmdeploy.engines.lowering import TableEngine, lower
from llmdeploy.engines.openllm.build import build
from llmdeploy.engines.table import field_of
from llmdeploy.plan.model import Why

_REVISION = re.compile(r"[A-Za-z0-9._/-]+")


class OpenLlm(TableEngine, frozen=True):
    def lower(self, settings: Settings) -> Lowered:
        packed = bento(settings.openllm_tag) if settings.openllm_tag else None
        if packed is None:  # an unknown tag is reported where names are checked
            return lower(settings, self.table)
        revision = settings.values.get("revision", packed.revision)
        # A Bento has its own idea of the GPUs, which holds unless it is told; the revision goes into the
        # image and the download, not into an argument.
        values = {"tensor": max(settings.gpu_count, 1), **settings.values}
        values.pop("revision", None)
        lowered = lower(replace(settings, values=values, model=packed.hub_id), self.table)
        name, context = build(packed, revision)
        launch = lowered.launch
        # `serve` ends where a variable that the Bento names is missing; an empty one will do.
        token = {"HF_TOKEN": ""} if "HF_TOKEN" in packed.env else {}
        launch = replace(launch, image=settings.image or name, env={**launch.env, **token})
        download = lowered.download
        if download is not None:
            download = replace(download, command=(*download.command, "--revision", revision))
        findings = (*lowered.diagnostics, *self._findings(settings, packed))
        why = (*lowered.why, *_reasons(settings, packed, revision))
        return replace(
            lowered,
            launch=launch,
            download=download,
            build=context,
            served_names=(packed.hub_id,),
            why=why,
            diagnostics=findings,
        )

    def _findings(self, settings: Settings, packed: Bento) -> Iterator[Diagnostic]:
        for name, row in self.table.settings.items():
            if name in settings.values and row.key not in packed.args:
                message = f"the Bento `{packed.tag}` has no counterpart of `{field_of(name)}`"
                yield Diagnostic("LD307", message, settings.origin_of(name), "leave it out")
        yield from _arguments(settings, packed)
        if settings.api_key is not None:
            message = f"`{settings.name}` runs on OpenLLM, which checks no API key"
            help = "take `engine: vllm`, or leave `gateway.auth` out and guard the gateway yourself"
            yield Diagnostic("LD307", message, ("gateway", "auth"), help)
        if packed.post_commands:
            message = f"the Bento `{packed.tag}` runs commands of its own while it is built"
            help = f"write `source: {packed.hub_id}`, and `engine: vllm`"
            yield Diagnostic("LD315", message, (*settings.origin, "source"), help)
        revision = settings.values.get("revision", packed.revision)
        if _REVISION.fullmatch(revision) is None:
            message = f"`{revision}` cannot be the revision of an OpenLLM model"
            yield Diagnostic(
                "LD309", message, settings.origin_of("revision"), "write a commit, tag or branch"
            )


def _arguments(settings: Settings, packed: Bento) -> Iterator[Diagnostic]:
    for key in settings.engine_args:
        name, path = key.lstrip("-").replace("-", "_"), (*settings.origin, "engine_args", key)
        if name in packed.args:
            continue
        if (row := change("openllm", "--" + name.replace("_", "-"))) is not None:
            message = f"OpenLLM has no `{key}` since {row.removed}"
            yield Diagnostic("LD317", message, path, row.help, (Note(f"source: {row.source}"),), Place.KEY)
            continue
        message = f"the Bento `{packed.tag}` has no argument `{key}`"
        help = "it has " + ", ".join(f"`{name}`" for name in packed.args)
        yield Diagnostic("LD316", message, path, help)
    for name in settings.env:
        if packed.env.get(name):
            message = f"the Bento `{packed.tag}` sets `{name}` to `{packed.env[name]}` itself"
            yield Diagnostic("LD306", message, (*settings.origin, "env", name), "leave it out")


def _reasons(settings: Settings, packed: Bento, revision: str) -> Iterator[Why]:
    yield Why("served_names", packed.hub_id, "a Bento serves its Hub id and no other name")
    if "revision" not in settings.values:
        yield Why("revision", revision, "the commit that the OpenLLM catalog pins")
    if "context" not in settings.values and packed.max_model_len is not None:
        yield Why("context", str(packed.max_model_len), f"the Bento `{packed.tag}` sets it")


ENGINE = OpenLlm.of(__name__)
