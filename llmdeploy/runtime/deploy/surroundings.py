"""What has to be in a cluster before a plan goes there, and where it is reached afterwards."""

from __future__ import annotations

import re
from collections.abc import Mapping

from llmdeploy.emit import shell
from llmdeploy.runtime.deploy.cluster import Cluster, last_words
from llmdeploy.runtime.deploy.model import Failed
from llmdeploy.runtime.runner import CannotRun
from llmdeploy.targets.kubernetes import commands, guide
from llmdeploy.targets.kubernetes.origins import used_secrets
from llmdeploy.targets.kubernetes.values import GATEWAY_CLASS

_TLS = ("tls.crt", "tls.key")
# The keys alone: no value is ever asked for.
_KEYS = 'go-template={{range $k, $v := .data}}{{$k}}{{"\\n"}}{{end}}'
_GATEWAY = "{.status.addresses[0].value}"
_INGRESS = "{.status.loadBalancer.ingress[0].ip}{.status.loadBalancer.ingress[0].hostname}"


def check(cluster: Cluster, make_namespace: commands.Argv) -> list[str]:
    """See that the Gateway API and the secrets are there. Return what could not be seen.

    `make_namespace` is how a person makes the namespace, for secrets live in it.
    """
    _check_gateway_api(cluster)
    wanted = _wanted_secrets(cluster)
    phase = cluster.phase()
    if phase == "Terminating":
        wait = ("kubectl", "wait", "--for=delete", f"namespace/{cluster.namespace}", "--timeout=10m")
        raise Failed(
            f"namespace `{cluster.namespace}` is being deleted",
            f"wait until it is gone: {shell.join(cluster.pinned(wait))}",
        )
    if not phase and wanted:
        raise Failed(
            f"there is no namespace `{cluster.namespace}`, and {_listed(wanted)} must be in it",
            "; ".join(
                (shell.join(cluster.pinned(make_namespace)), *_steps(cluster, {name: [] for name in wanted}))
            ),
        )
    return _check_secrets(cluster, wanted)


def _check_gateway_api(cluster: Cluster) -> None:
    options = cluster.options
    if options.routing != "gateway-api" or not cluster.plan.routes:
        return
    # A Gateway that is there already is nothing that we make.
    needed = [commands.ROUTE] if options.gateway.name else commands.GATEWAY_API
    served = cluster.gateway_kinds()
    missing = [commands.GATEWAY_API[kind] for kind in needed if kind not in served]
    if missing:
        gateway_class = options.gateway.class_ or GATEWAY_CLASS
        controller = "" if options.gateway.name else f" and a controller for the class `{gateway_class}`"
        raise Failed(
            f"the cluster has no Gateway API: it knows no {' and no '.join(missing)}",
            f"install its CRDs{controller} (https://gateway-api.sigs.k8s.io/guides/), or write "
            "`routing: ingress` or `routing: none`",
        )


def _wanted_secrets(cluster: Cluster) -> dict[str, dict[str, None]]:
    """Return the keys that are used of each Secret, in the order of the plan."""
    wanted: dict[str, dict[str, None]] = {}
    for secret in used_secrets(cluster.plan):
        if secret.kubernetes:
            name, key = secret.kubernetes
            wanted.setdefault(name, {})[key] = None
    if tls := guide.tls_secret(cluster.plan, cluster.options):
        wanted.setdefault(tls, {}).update(dict.fromkeys(_TLS))
    return wanted


def _check_secrets(cluster: Cluster, wanted: Mapping[str, Mapping[str, None]]) -> list[str]:
    missing: dict[str, list[str]] = {}
    notes: list[str] = []
    for name, keys in wanted.items():
        done = cluster.kubectl("get", "secret", name, "-o", _KEYS)
        if done.status == 0:
            there = done.stdout.split()
            if absent := [key for key in keys if key not in there]:
                missing[name] = absent
        elif "(NotFound)" in done.stderr:
            missing[name] = []
        elif "(Forbidden)" in done.stderr:
            # Who may deploy need not be allowed to read secrets; a Pod that misses one says so.
            notes.append(f"Secret `{name}` is not ours to look at; it must have {_listed(keys)}")
        else:
            raise Failed(f"Secret `{name}`: {last_words(done)}")
    if missing:
        said = [_said(name, keys) for name, keys in missing.items()]
        raise Failed(
            f"namespace `{cluster.namespace}` has no {', no '.join(said)}",
            "; ".join(_steps(cluster, missing)),
        )
    return notes


def _said(name: str, keys: list[str]) -> str:
    return f"{_listed(keys)} in Secret `{name}`" if keys else f"Secret `{name}`"


def _listed(names: Mapping[str, object] | list[str]) -> str:
    return " and ".join(f"`{name}`" for name in names)


def _steps(cluster: Cluster, missing: Mapping[str, list[str]]) -> list[str]:
    """Return the guide's commands that create these Secrets, for this cluster; or that add the missing keys."""
    add = shell.join(cluster.pinned((*commands.APPLY, "-f", "-")))
    steps = guide.secret_steps(cluster.plan, cluster.options)
    return [
        _pinned(cluster, step.command) + (f" --dry-run=client -o yaml | {add}" if keys else "")
        for name, keys in missing.items()
        for step in steps
        if re.search(rf"create secret \w+ {re.escape(name)} ", step.command)
    ]


def _pinned(cluster: Cluster, command: str) -> str:
    """Name the context in a line of shell, which is no argv: it has variables."""
    return command.replace("kubectl ", f"{shell.join(cluster.pinned(('kubectl',)))} ", 1)


def address(cluster: Cluster) -> tuple[str, str]:
    """Return the base URL of the routes, and what to do first where it is not reached yet, else ""."""
    plan, options = cluster.plan, cluster.options
    base = guide.base_url(plan, options)
    if options.routing == "none" or not plan.routes:
        service = plan.services[0]
        forward = ("port-forward", f"service/{plan.name}-{service.name}", str(service.launch.port))
        return f"http://127.0.0.1:{service.launch.port}", f"first: {_in_namespace(cluster, *forward)}"
    get = _get_gateway(cluster)
    found = _found(
        cluster, (*get, "-o", f"jsonpath={_INGRESS if options.routing == 'ingress' else _GATEWAY}")
    )
    if plan.gateway.host:
        host = base.partition("://")[2]
        return base, f"`{host}` must resolve to {found or f'what `{_shown(cluster, get)}` will show'}"
    if found:
        scheme = base.partition("://")[0]
        return f"{scheme}://{f'[{found}]' if ':' in found else found}", ""
    return base, f"GATEWAY has no address yet: `{_shown(cluster, get)}` will show it"


def _found(cluster: Cluster, argv: commands.Argv) -> str:
    """Return an address, "" where there is none yet: what was applied runs all the same."""
    try:
        done = cluster.run(argv)
    except CannotRun:
        return ""
    return done.stdout.strip() if done.status == 0 else ""


def _get_gateway(cluster: Cluster) -> commands.Argv:
    gateway = cluster.options.gateway
    if cluster.options.routing == "ingress":
        where, kind, name = cluster.namespace, "ingress.networking.k8s.io", cluster.plan.name
    else:
        where = gateway.namespace or cluster.namespace
        kind, name = commands.GATEWAY, gateway.name or cluster.plan.name
    return ("kubectl", "-n", where, "get", kind, name)


def _in_namespace(cluster: Cluster, *words: str) -> str:
    return _shown(cluster, ("kubectl", "-n", cluster.namespace, *words))


def _shown(cluster: Cluster, argv: commands.Argv) -> str:
    return shell.join(cluster.pinned(argv))
