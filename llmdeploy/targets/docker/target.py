"""The docker target: up.sh, down.sh and logs.sh."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from llmdeploy.diagnostics import Diagnostic
from llmdeploy.emit.artifact import Artifact
from llmdeploy.plan.model import Plan
from llmdeploy.spec.targets import Docker as Options
from llmdeploy.targets.base import Feature, Guide, Step
from llmdeploy.targets.onehost import checks, guide


class Docker:
    name = "docker"
    features = frozenset({Feature.LOCAL_MODEL, Feature.BUILD, Feature.GPU_SHARING})
    secret_kind = "env"
    options = None

    def check(self, plan: Plan) -> Iterator[Diagnostic]:
        return checks.check(plan, self.name, plan.options[self.name])

    def emit(self, plan: Plan) -> Iterable[Artifact]:
        # What only a build needs, `validate` does not pay for.
        from llmdeploy.targets.docker.scripts import scripts
        from llmdeploy.targets.onehost.stack import files

        for name, text in scripts(plan, plan.options[self.name]).items():
            yield Artifact(f"docker/{name}", text, executable=True)
        yield from files(plan, self.name)

    def guide(self, plan: Plan) -> Guide:
        options: Options = plan.options[self.name]
        return Guide(
            title="Docker",
            base_url=guide.base_url(options),
            secrets=tuple(
                Step(f"read -rs {secret.env} && export {secret.env}", f"secret `{secret.name}`")
                for secret in checks.needed_secrets(plan)
            ),
            apply=(Step("docker/up.sh --dry-run", "prints what it would run"), Step("docker/up.sh")),
            undo=(Step("docker/down.sh", "--volumes: the weights, too"),),
            remarks=(
                "After the value of a secret has changed: `docker/up.sh --recreate`.",
                *guide.remarks(plan, options),
            ),
        )


TARGET = Docker()
