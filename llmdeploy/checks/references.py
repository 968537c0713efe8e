"""Names that must exist elsewhere: pools, secrets, models, GPUs, engines."""

from __future__ import annotations

from collections.abc import Iterator

from llmdeploy import catalog
from llmdeploy.catalog.versions import order
from llmdeploy.checks.context import Context
from llmdeploy.diagnostics import Diagnostic, Note, Path
from llmdeploy.diagnostics.suggest import did_you_mean, listed
from llmdeploy.engines.base import Engine
from llmdeploy.plan.placement import pool_of


def check(context: Context) -> Iterator[Diagnostic]:
    yield from _gpu_types(context)
    for name in context.spec.models:
        yield from _pool(context, name)
        yield from _engine(context, name)
        yield from _openllm(context, name)
        model = context.spec.models[name]
        yield from _secret(context, model.token, ("models", name, "token"))
    yield from _secret(context, context.spec.gateway.auth, ("gateway", "auth"))
    for index, route in enumerate(context.spec.routes):
        if route.model is not None and route.model not in context.spec.models:
            yield Diagnostic(
                "LD204",
                f"there is no model `{route.model}`",
                ("routes", index, "model"),
                help=did_you_mean(route.model, context.spec.models),
            )


def _gpu_types(context: Context) -> Iterator[Diagnostic]:
    for name, pool in context.spec.gpus.items():
        gpu = catalog.gpu(pool.type) if pool.type is not None else None
        if gpu is not None and pool.vendor not in (None, gpu.vendor):
            yield Diagnostic(
                "LD106",
                f"a `{pool.type}` is made by {gpu.vendor}, not by {pool.vendor}",
                ("gpus", name, "vendor"),
                help="remove `vendor`: the catalog knows it; or remove `type` and declare the hardware",
            )
        if pool.type is not None and gpu is None:
            yield Diagnostic(
                "LD208",
                f"`{pool.type}` is not a GPU of the catalog",
                ("gpus", name, "type"),
                help=did_you_mean(
                    pool.type,
                    catalog.gpu_names(),
                    "what the catalog lacks is declared with `vendor`, `memory` and `capability` instead of `type`",
                ),
            )


def _pool(context: Context, name: str) -> Iterator[Diagnostic]:
    stated = context.spec.models[name].gpus.pool
    pools = context.spec.gpus
    if stated is not None and stated not in pools:
        yield Diagnostic(
            "LD202",
            f"there is no pool `{stated}`",
            ("models", name, "gpus", "pool"),
            help=did_you_mean(stated, pools),
        )
    elif pool_of(context.spec, name) is None:
        count = context.spec.models[name].gpus.count
        yield Diagnostic(
            "LD205",
            f"`{name}` must name its pool, for there are {len(pools)} pools",
            ("models", name, "gpus"),
            help=f"write `gpus: {{pool: {next(iter(pools))}, count: {count}}}`; pools: {listed(pools)}",
        )


def _engine(context: Context, name: str) -> Iterator[Diagnostic]:
    engine_name = context.engine_of(name)
    if engine_name == "auto":
        return
    engine = context.engines.get(engine_name)
    if engine is None:
        yield Diagnostic(
            "LD209",
            f"there is no engine `{engine_name}`",
            ("models", name, "engine"),
            help=did_you_mean(engine_name, context.engines),
        )
        return
    version = context.spec.models[name].engine_version
    if version is not None and version not in engine.versions:
        yield from _version(engine, version, ("models", name, "engine_version"))


def _version(engine: Engine, version: str, path: Path) -> Iterator[Diagnostic]:
    """Judge a version that was not verified. A release of fixes has the flags of those beside it."""
    known, release = engine.releases(), engine.judged_by(version)
    if release is None:
        message = f"version `{version}` of {engine.name} is not in the catalog"
        newest, help = known[-1], f"versions: {listed(known)}"
        bare = version.removeprefix("v")
        if meant := [each for each in known if each == bare or each.startswith(f"{bare}.")]:
            help = f"write all three numbers and no more: {listed(meant)}"
        elif order(version) > order(newest):
            help = f'write `engine_version: "{newest}"` with the newer one as `image`, or update llmdeploy'
        yield Diagnostic("LD209", message, path, help)
        return
    flags = "its flags are known" if release == version else f"its flags are taken to be those of {release}"
    verified = listed(engine.versions).replace(" or ", " and ")
    message = f"llmdeploy was not verified with {engine.name} {version}: {flags}"
    note = Note(f"image, probes and environment were verified with {verified}")
    yield Diagnostic("LD321", message, path, notes=(note,))


def _openllm(context: Context, name: str) -> Iterator[Diagnostic]:
    tag = context.spec.models[name].source.openllm
    if tag is not None and catalog.bento(tag) is None:
        yield Diagnostic(
            "LD211",
            f"OpenLLM has no model tag `{tag}`",
            ("models", name, "source", "openllm"),
            help=did_you_mean(tag, _tags()),
        )


def _tags() -> list[str]:
    """Return the short tags where there are some: `llama3.3:70b`."""
    return sorted({tag for bento in catalog.bentos().all for tag in bento.aliases or (bento.tag,)})


def _secret(context: Context, name: str | None, path: Path) -> Iterator[Diagnostic]:
    if name is not None and name not in context.spec.secrets:
        yield Diagnostic(
            "LD203",
            f"there is no secret `{name}`",
            path,
            help=did_you_mean(
                name,
                context.spec.secrets,
                "one is declared like `secrets: {hf-token: {env: HF_TOKEN}}`",
            ),
        )
