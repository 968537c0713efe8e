"""The compose target: compose.yaml and what it mounts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from llmdeploy.diagnostics import Diagnostic, Place
from llmdeploy.diagnostics.suggest import did_you_mean
from llmdeploy.emit.artifact import Artifact
from llmdeploy.plan.model import Plan, Secret
from llmdeploy.spec.targets import Compose as Options
from llmdeploy.targets.base import Feature, Guide, Step
from llmdeploy.targets.onehost import checks, guide

_MADE_BY = "# Made by llmdeploy from llm.yaml; a rebuild refuses to overwrite edits.\n"


class Compose:
    name = "compose"
    features = frozenset({Feature.LOCAL_MODEL, Feature.BUILD, Feature.GPU_SHARING})
    secret_kind = "env"
    options = None

    def check(self, plan: Plan) -> Iterator[Diagnostic]:
        options: Options = plan.options[self.name]
        problems = list(checks.check(plan, self.name, options))
        yield from problems
        if options.overrides and not any(problem.code == "LD401" for problem in problems):
            yield from _judge(plan, options)

    def emit(self, plan: Plan) -> Iterable[Artifact]:
        # What only a build needs, `validate` does not pay for.
        from llmdeploy.emit import yaml
        from llmdeploy.targets.compose.document import document
        from llmdeploy.targets.onehost.stack import files

        yield Artifact("compose/compose.yaml", _MADE_BY + yaml.dump(document(plan, plan.options[self.name])))
        if secrets := checks.needed_secrets(plan):
            yield Artifact("compose/.env.example", _MADE_BY + _environment(secrets))
        yield from files(plan, self.name)

    def guide(self, plan: Plan) -> Guide:
        options: Options = plan.options[self.name]
        fill = Step("install -m 600 compose/.env.example compose/.env", "then fill it in")
        return Guide(
            title="Compose",
            base_url=guide.base_url(options),
            secrets=(fill,) if checks.needed_secrets(plan) else (),
            apply=(Step("docker compose -f compose/compose.yaml up --detach --wait --remove-orphans"),),
            undo=(Step("docker compose -f compose/compose.yaml down", "--volumes: the weights, too"),),
            remarks=("Needs Compose 2.20 or newer.", *guide.remarks(plan, options)),
        )


def _environment(secrets: list[Secret]) -> str:
    lines = [f"# secret `{secret.name}`\n{secret.env}=\n" for secret in secrets]
    return "# Copy to .env with mode 0600 and fill in, or export the variables.\n" + "".join(lines)


def _judge(plan: Plan, options: Options) -> Iterator[Diagnostic]:
    """Judge the result of the overrides by the Compose specification."""
    from llmdeploy.emit.schemas import schema_errors  # loads a validator, which most builds need not
    from llmdeploy.targets.compose.document import document

    made, at = document(plan, options), ("targets", "compose", "overrides")
    problems = list(schema_errors("compose", made))
    for path, message in problems:
        yield Diagnostic(
            "LD404",
            f"with these overrides the Compose specification refuses compose.yaml: {message}",
            (*at, *path),
        )
    # The specification wants one of the two, its schema does not. Only a misspelt service lacks both.
    ours = document(plan, Options())["services"]
    for name, service in made["services"].items() if not problems else ():
        if not service.keys() & {"image", "build", "extends", "provider"}:
            yield Diagnostic(
                "LD404",
                f"there is no service `{name}`, and a new one needs `image` or `build`",
                (*at, "services", name),
                did_you_mean(name, ours),
                place=Place.KEY,
            )


TARGET = Compose()
