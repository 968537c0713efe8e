"""An engine and a target that another package brings, found by their entry points.

`install(folder)` writes what pip would leave of that package: its metadata. With `folder` on the path, the
engine and the target below are there under the name `acme`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from llmdeploy.diagnostics import Diagnostic
from llmdeploy.emit import Artifact
from llmdeploy.engines.base import Card, Lowered, Settings
from llmdeploy.engines.limits import Limits
from llmdeploy.plan.model import (
    Download,
    Drain,
    Endpoint,
    Launch,
    Match,
    Mount,
    MountKind,
    Plan,
    Probe,
    Probes,
    Service,
)
from llmdeploy.targets.base import Feature, Guide, Step

NAME = "acme"
ENTRY_POINTS = """\
[llmdeploy.engines]
acme = support.outside:ENGINE

[llmdeploy.targets]
acme = support.outside:TARGET
"""


def install(folder: Path) -> None:
    info = folder / "acme_llm-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-llm\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)


class AcmeEngine:
    name = NAME
    title = "Acme"
    versions = ("1.0",)

    def releases(self) -> tuple[str, ...]:
        return self.versions

    def judged_by(self, version: str) -> str | None:
        return version if version in self.versions else None

    def limits(self, version: str) -> Limits:
        return Limits()

    def takes(self, setting: str, version: str, vendor: str) -> bool:
        return True

    def lower(self, settings: Settings) -> Lowered:
        values = [f"--{name}={value}" for name, value in sorted(settings.values.items())]
        probe = Probe("/up", period_s=10, timeout_s=5, failures=3)
        return Lowered(
            launch=Launch(
                image=settings.image or f"acme/{settings.vendor}:{settings.version}",
                entrypoint=("acme", "serve"),
                args=(settings.model, *values),
                env={"ACME_CACHE": "/cache", **settings.env},
                port=7000,
                secret_env={"ACME_KEY": settings.api_key} if settings.api_key else {},
            ),
            endpoints=(Endpoint("/v1", Match.PREFIX),),
            probes=Probes(probe, probe, probe),
            drain=Drain(pre_stop_s=5, drain_s=30, grace_s=50),
            user=None,
            mounts=(
                Mount(MountKind.WEIGHTS, "/hub", read_only=True),
                Mount(MountKind.CACHE, "/cache", read_only=False),
            ),
            download=Download(("acme", "pull", settings.model), {"ACME_HOME": "/hub"}, settings.token),
        )

    def card(self) -> Card:
        return Card("Acme", "tests", "maintained")


class Options(BaseModel):
    model_config = ConfigDict(extra="forbid")

    region: str = "here"


class AcmeTarget:
    """Spells a plan as one JSON document."""

    name = NAME
    features = frozenset(Feature)
    secret_kind = "env"
    options = Options

    def check(self, plan: Plan) -> Iterator[Diagnostic]:
        return iter(())

    def emit(self, plan: Plan) -> Iterator[Artifact]:
        document = {
            "region": plan.options[NAME].region,
            "services": {service.name: _spelled(service) for service in plan.services},
        }
        yield Artifact(f"{NAME}/acme.json", json.dumps(document, indent=1) + "\n")

    def guide(self, plan: Plan) -> Guide:
        return Guide("Acme", "http://acme", apply=(Step("acme apply"),))


def _spelled(service: Service) -> dict[str, object]:
    launch, download = service.launch, service.download
    texts = {file.name: file.text for file in service.files}
    secrets = {name: f"secret:{secret.name}" for name, secret in launch.secret_env.items()}
    return {
        "argv": launch.argv,
        "env": {**launch.env, **secrets},
        "image": launch.image,
        "port": launch.port,
        "gpus": service.gpus.count,
        "devices": [service.gpus.devices[i] if service.gpus.devices else () for i in range(service.replicas)],
        "shm": service.shm_gib << 30,
        "mounts": [(mount.target, mount.read_only) for mount in service.mounts],
        "files": {m.target: texts[m.source] for m in service.mounts if m.kind is MountKind.FILE},
        "fetch": download
        and {
            "argv": download.command,
            "env": dict(download.env),
            "token": download.token and f"secret:{download.token.name}",
        },
    }


ENGINE = AcmeEngine()
TARGET = AcmeTarget()
