"""What a deployment would run, read back out of the artifacts by the tools that their users run.

`read(target, plan, folder)` gives every engine container of every model, as the runtime would start it:
escapes are undone as the runtime undoes them. `expected(plan)` is the same, straight from the plan.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from llmdeploy.plan.model import MountKind, Plan, Secret, Service
from support.recording_docker import Created, parser
from support.tools import runner

GIB = 1 << 30
RECORDING_DOCKER = Path(__file__).with_name("recording_docker.sh")
# Docker and Kubernetes differ in how a container gets scratch space, and no model, cache or file lies there.
SCRATCH = {"/tmp", "/dev/shm"}
# The Hub token reaches the download as a variable or as a file; `Fetch.token` says which secret it is.
TOKEN_VARIABLES = ("HF_TOKEN", "HF_TOKEN_PATH")


@dataclass(frozen=True, slots=True)
class Replica:
    """One engine container. A variable whose value is a secret reads `secret:NAME`.

    `devices` are ids of the host's GPUs, and None where a scheduler picks them. `files` has the text of each
    file that is mounted.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str]
    image: str
    port: int
    gpus: int
    devices: tuple[str, ...] | None
    shm: int
    mounts: frozenset[tuple[str, bool]]
    files: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Fetch:
    """What downloads a model's weights, and with which secret."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    token: str | None


@dataclass(frozen=True, slots=True)
class Model:
    replicas: tuple[Replica, ...]
    fetch: Fetch | None


Models = dict[str, Model]


def read(target: str, plan: Plan, folder: Path) -> Models:
    return READERS[target](plan, folder / target)


def expected(plan: Plan, *, devices: bool = True) -> Models:
    """The plan in the same shape; without device ids for the targets that leave them to a scheduler."""
    return {service.name: _expected(service, devices) for service in plan.services}


def _expected(service: Service, devices: bool) -> Model:
    launch, gpus, download = service.launch, service.gpus, service.download
    secrets = {name: marker(secret) for name, secret in launch.secret_env.items()}
    texts = {file.name: file.text for file in service.files}
    replicas = tuple(
        Replica(
            argv=launch.argv,
            env={**launch.env, **secrets},
            image=launch.image,
            port=launch.port,
            gpus=gpus.count,
            devices=(gpus.devices[index] if gpus.devices else ()) if devices else None,
            shm=service.shm_gib * GIB,
            mounts=frozenset((mount.target, mount.read_only) for mount in service.mounts),
            files={m.target: texts[m.source] for m in service.mounts if m.kind is MountKind.FILE},
        )
        for index in range(service.replicas)
    )
    fetch = download and Fetch(download.command, download.env, download.token and marker(download.token))
    return Model(replicas, fetch)


def marker(secret: Secret) -> str:
    return f"secret:{secret.name}"


def _host(plan: Plan, home: Path | str = "/nowhere") -> dict[str, str]:
    """The environment of a host where every secret is set."""
    return {"HOME": str(home), **{secret.env: marker(secret) for secret in plan.secrets if secret.env}}


# docker: the script runs, against a docker that writes down what it is asked


def docker(plan: Plan, folder: Path) -> Models:
    made = list(_created(plan, folder / "up.sh"))
    models = {}
    for service in plan.services:
        mine = [each for each in made if f"io.llmdeploy.model={service.name}" in each.options.label]
        fetches = [_docker_fetch(each) for each in mine if each.options.rm]
        assert len(fetches) <= 1
        replicas = tuple(_docker_replica(each) for each in mine if not each.options.rm)
        models[service.name] = Model(replicas, next(iter(fetches), None))
    return models


def _created(plan: Plan, script: Path) -> Iterator[Created]:
    with tempfile.TemporaryDirectory() as home:
        record = Path(home) / "record"
        env = {**_host(plan, home), "DOCKER": str(RECORDING_DOCKER), "RECORD": str(record)}
        done = runner("bash")(script, env=env)
        assert done.returncode == 0, done.stderr
        words = iter(record.read_bytes().decode().split("\0"))
    while count := next(words, ""):
        command, *options = (next(words) for _ in range(int(count)))
        pairs = (next(words).partition("=") for _ in range(int(next(words))))
        environ = {name: value for name, _, value in pairs}
        if command in ("create", "run"):
            yield Created(parser().parse_args(options), environ)


def _docker_replica(made: Created) -> Replica:
    devices = made.gpus or _amd(made.options.device)
    return Replica(
        argv=made.argv,
        env=made.env,
        image=made.options.image,
        port=_port(made.options.health_cmd),
        gpus=len(devices),
        devices=devices,
        shm=_bytes(made.options.shm_size),
        mounts=frozenset((mount["dst"], "readonly" in mount) for mount in made.mounts),
        files=_texts({mount["dst"]: mount["src"] for mount in made.mounts}),
    )


def _docker_fetch(made: Created) -> Fetch:
    return Fetch(made.argv, _without_token(made.env), made.env.get("HF_TOKEN"))


def _amd(files: Sequence[str]) -> tuple[str, ...]:
    nodes = [re.match(r"/dev/dri/renderD(\d+)", path) for path in files]
    ids = tuple(str(int(node[1]) - 128) for node in nodes if node)
    assert not ids or any(path.startswith("/dev/kfd") for path in files)
    return ids


# Compose: `docker-compose config`


def compose(plan: Plan, folder: Path) -> Models:
    project = compose_config(plan, folder)
    services = project["services"]
    models = {}
    for model in plan.services:
        # Whoever answers to the model's name on the engines' network is one of its replicas.
        mine = [service for name, service in services.items() if model.name in _names(name, service)]
        before = {
            name
            for service in mine
            for name, need in service.get("depends_on", {}).items()
            if need["condition"] == "service_completed_successfully"
        }
        fetches = [_compose_fetch(services[name], project) for name in before]
        assert len(fetches) <= 1
        models[model.name] = Model(tuple(map(_compose_replica, mine)), next(iter(fetches), None))
    return models


def compose_config(plan: Plan, folder: Path) -> dict[str, Any]:
    done = runner("docker-compose")(
        "-f", folder / "compose.yaml", "config", "--format", "json", env=_host(plan)
    )
    assert done.returncode == 0, done.stderr
    project: dict[str, Any] = _undollar(json.loads(done.stdout))
    return project


def _undollar(node: Any) -> Any:
    """`config` prints a file that could be read again, so it escapes what it has just unescaped."""
    if isinstance(node, str):
        return node.replace("$$", "$")
    if isinstance(node, list):
        return [_undollar(item) for item in node]
    return {key: _undollar(item) for key, item in node.items()} if isinstance(node, dict) else node


def _names(name: str, service: Mapping[str, Any]) -> set[str]:
    networks = [network or {} for network in service.get("networks", {}).values()]
    return {name, *(alias for network in networks for alias in network.get("aliases", ()))}


def _compose_replica(service: Mapping[str, Any]) -> Replica:
    reserved = service.get("deploy", {}).get("resources", {}).get("reservations", {}).get("devices", [])
    nvidia = tuple(device for entry in reserved for device in entry["device_ids"])
    devices = nvidia or _amd([device["source"] for device in service.get("devices", ())])
    return Replica(
        argv=(*(service.get("entrypoint") or ()), *(service.get("command") or ())),
        env=service.get("environment") or {},
        image=service["image"],
        port=_port(" ".join(service["healthcheck"]["test"])),
        gpus=len(devices),
        devices=devices,
        shm=_bytes(service["shm_size"]),
        mounts=frozenset(
            (mount["target"], mount.get("read_only", False)) for mount in service.get("volumes", ())
        ),
        files=_texts({mount["target"]: mount["source"] for mount in service.get("volumes", ())}),
    )


def _compose_fetch(service: Mapping[str, Any], project: Mapping[str, Any]) -> Fetch:
    env = service.get("environment") or {}
    tokens = [secret["source"] for secret in service.get("secrets", ())]
    assert bool(tokens) == ("HF_TOKEN_PATH" in env)
    argv = (*service["entrypoint"], *(service.get("command") or ()))
    return Fetch(argv, _without_token(env), f"secret:{tokens[0]}" if tokens else None)


# Kubernetes: `kubectl kustomize`; Helm: `helm template`


def kubernetes(plan: Plan, folder: Path) -> Models:
    return _deployments(plan, kustomized(folder))


def helm(plan: Plan, folder: Path) -> Models:
    return _deployments(plan, rendered(plan, folder / plan.name))


def kustomized(folder: Path) -> list[dict[str, Any]]:
    done = runner("kubectl")("kustomize", folder)
    assert done.returncode == 0, done.stderr
    return list(documents(done.stdout))


def rendered(plan: Plan, chart: Path, *options: str) -> list[dict[str, Any]]:
    """The chart's objects as Go reads them: kustomize takes in what helm has printed."""
    done = runner("helm")("template", plan.name, chart, *options)
    assert done.returncode == 0, done.stderr
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "all.yaml").write_text(done.stdout, encoding="utf-8")
        (Path(folder) / "kustomization.yaml").write_text("resources: [all.yaml]\n")
        return kustomized(Path(folder))


class _Loader(yaml.CSafeLoader):
    """Reads what Go has written, to whom the values `=` and `<<` are text."""


for _tag in ("value", "merge"):
    _Loader.add_constructor(f"tag:yaml.org,2002:{_tag}", lambda loader, node: node.value)


def documents(text: str) -> Iterator[dict[str, Any]]:
    return (each for each in yaml.load_all(text, _Loader) if each)


def _deployments(plan: Plan, objects: Sequence[dict[str, Any]]) -> Models:
    pods = {
        (each["kind"], each["metadata"]["labels"]["app.kubernetes.io/instance"]): each["spec"]
        for each in objects
        if each["kind"] in ("Deployment", "Job")
    }
    maps = {each["metadata"]["name"]: each["data"] for each in objects if each["kind"] == "ConfigMap"}
    models = {}
    for model in plan.services:
        instance = f"{plan.name}-{model.name}"
        spec = pods["Deployment", instance]
        pod = spec["template"]["spec"]
        (engine,) = pod["containers"]
        job = pods.get(("Job", instance))
        inits = [*pod.get("initContainers", ()), *(job["template"]["spec"]["containers"] if job else ())]
        fetch = next((_kube_fetch(plan, each) for each in inits if each["name"] == "download"), None)
        port = _service_port(objects, spec["template"]["metadata"]["labels"], engine)
        replica = _kube_replica(plan, pod, port, maps)
        models[model.name] = Model((replica,) * spec["replicas"], fetch)
    return models


def _kube_replica(
    plan: Plan, pod: Mapping[str, Any], port: int, maps: Mapping[str, Mapping[str, str]]
) -> Replica:
    (engine,) = pod["containers"]
    env = _kube_env(plan, engine)
    limits = engine["resources"]["limits"]
    gpus = [amount for name, amount in limits.items() if "/" in name]
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    shm = next(volumes[m["name"]] for m in engine["volumeMounts"] if m["mountPath"] == "/dev/shm")
    return Replica(
        argv=tuple(_expand(word, env) for word in (*engine["command"], *engine.get("args", ()))),
        env=env,
        image=engine["image"],
        port=port,
        gpus=sum(int(amount) for amount in gpus),
        devices=None,
        shm=_bytes(shm["emptyDir"]["sizeLimit"]),
        mounts=frozenset(
            (mount["mountPath"], mount.get("readOnly", False))
            for mount in engine["volumeMounts"]
            if mount["mountPath"] not in SCRATCH
        ),
        files={
            mount["mountPath"]: maps[volumes[mount["name"]]["configMap"]["name"]][mount["subPath"]]
            for mount in engine["volumeMounts"]
            if "configMap" in volumes[mount["name"]]
        },
    )


def _kube_fetch(plan: Plan, container: Mapping[str, Any]) -> Fetch:
    # The command is a shell that skips what is there already; what it runs is the arguments.
    env = _kube_env(plan, container)
    argv = tuple(_expand(word, env) for word in container["args"])
    return Fetch(argv, _without_token(env), env.get("HF_TOKEN"))


def _kube_env(plan: Plan, container: Mapping[str, Any]) -> dict[str, str]:
    secrets = {secret.kubernetes: marker(secret) for secret in plan.secrets if secret.kubernetes}
    env: dict[str, str] = {}
    for entry in container.get("env", ()):
        if "valueFrom" in entry:
            reference = entry["valueFrom"]["secretKeyRef"]
            env[entry["name"]] = secrets[reference["name"], reference["key"]]
        else:
            env[entry["name"]] = _expand(entry["value"], env)
    return env


def _expand(text: str, env: Mapping[str, str]) -> str:
    """As the kubelet does: k8s.io/kubernetes/third_party/forked/golang/expansion/expand.go."""
    assert isinstance(text, str), f"{text!r} is not text"

    def one(found: re.Match[str]) -> str:
        return "$" if found[0] == "$$" else env.get(found[1], found[0])

    return re.sub(r"\$\$|\$\(([^)]*)\)", one, text)


def _service_port(
    objects: Sequence[Mapping[str, Any]], labels: Mapping[str, str], engine: Mapping[str, Any]
) -> int:
    """The port behind the Service that selects these Pods, which must be the one that it publishes."""
    (service,) = (
        each["spec"]
        for each in objects
        if each["kind"] == "Service" and each["spec"]["selector"].items() <= labels.items()
    )
    (port,) = service["ports"]
    named = {each["name"]: each["containerPort"] for each in engine["ports"]}
    behind = named[port["targetPort"]]
    assert port["port"] == behind
    return int(behind)


def _without_token(env: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in env.items() if name not in TOKEN_VARIABLES}


def _texts(mounts: Mapping[str, str]) -> dict[str, str]:
    return {
        inside: Path(path).read_bytes().decode() for inside, path in mounts.items() if Path(path).is_file()
    }


def _port(command: str) -> int:
    found = re.search(r"http://[^/:]+:(\d+)/", command)
    assert found, command
    return int(found[1])


def _bytes(size: str | int) -> int:
    """What docker, Compose and Kubernetes write for a whole number of GiB."""
    found = re.fullmatch(r"(\d+)(|g|Gi)", str(size))
    assert found, size
    return int(found[1]) * (GIB if found[2] else 1)


# The target from outside, which is JSON


def acme(plan: Plan, folder: Path) -> Models:
    document = json.loads((folder / "acme.json").read_text())
    return {name: _acme(service) for name, service in document["services"].items()}


def _acme(service: dict[str, Any]) -> Model:
    fetch, devices = service.pop("fetch"), service.pop("devices")
    argv, mounts = tuple(service.pop("argv")), frozenset(map(tuple, service.pop("mounts")))
    replicas = (Replica(argv=argv, mounts=mounts, devices=tuple(ids), **service) for ids in devices)
    return Model(tuple(replicas), fetch and Fetch(**{**fetch, "argv": tuple(fetch["argv"])}))


READERS: dict[str, Callable[[Plan, Path], Models]] = {
    "docker": docker,
    "compose": compose,
    "kubernetes": kubernetes,
    "helm": helm,
    "acme": acme,
}
NAMES_DEVICES = {"docker", "compose", "acme"}
