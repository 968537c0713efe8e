"""A container as arguments of `docker create`."""

from __future__ import annotations

from collections.abc import Iterator

from llmdeploy.emit import hashes, shell
from llmdeploy.targets.onehost.container import Bind, Container, Volume

LOG_LIMITS = ("max-size=50m", "max-file=3")


def lines(project: str, container: Container) -> list[str]:
    """Return one line of shell for each option, then the image, then what runs in it.

    `$here` is the directory of the script. A container with several networks is created on the first.
    """
    role = f"model={container.model}" if container.model else "gateway=true"
    return [
        f"--label io.llmdeploy.{role}",
        f"--network {project}-{container.networks[0]}",
        *(f"--network-alias {shell.quote(name)}" for name in (container.name, *container.aliases)),
        *_isolation(container),
        *_life(container),
        *_hardware(container),
        *(shell.join(("--env", f"{key}={value}")) for key, value in container.env.items()),
        # Without a value docker takes it from its own environment: no command line shows a secret.
        *(f"--env {shell.quote(key)}" for key in secrets(container)),
        *(f"--mount {_mount(project, mount)}" for mount in container.mounts),
        *_publish(container),
        f"--entrypoint {shell.quote(container.entrypoint[0])}",
        shell.quote(container.image),
        *(shell.quote(word) for word in (*container.entrypoint[1:], *container.args)),
    ]


def fingerprint(lines: list[str], container: Container) -> str:
    return hashes.short("\n".join((*lines, container.content)))


def secrets(container: Container) -> dict[str, str]:
    """Return the container's secret variables, each with the host's variable that holds it."""
    pairs = [*container.secret_env.items(), *((container.token,) if container.token else ())]
    return {key: secret.env or "" for key, secret in pairs}


def _isolation(container: Container) -> Iterator[str]:
    if container.user:
        yield f"--user {container.user}"
    yield "--security-opt no-new-privileges"
    yield "--cap-drop ALL"
    yield from (f"--cap-add {name}" for name in container.capabilities)
    if container.read_only:
        yield "--read-only"
    yield from (f"--tmpfs {path}" for path in container.tmpfs)


def _life(container: Container) -> Iterator[str]:
    yield "--init"
    yield from (f"--log-opt {limit}" for limit in LOG_LIMITS)
    if container.once:
        return
    yield "--restart unless-stopped"
    yield f"--stop-timeout {container.stop_s}"
    if container.stop_signal:
        yield f"--stop-signal {container.stop_signal}"
    if health := container.health:
        yield f"--health-cmd {shell.quote(shell.join(health.command))}"
        yield f"--health-interval {health.period_s}s"
        yield f"--health-timeout {health.timeout_s}s"
        yield f"--health-retries {health.failures}"
        yield f"--health-start-period {health.start_s}s"


def _hardware(container: Container) -> Iterator[str]:
    devices = container.devices
    if devices.nvidia:
        # The inner quotes are docker's: it reads the value as CSV, and device=0,1 alone means one GPU.
        yield f"--gpus '\"device={','.join(devices.nvidia)}\"'"
    yield from (f"--device {shell.quote(path)}" for path in devices.files)
    yield from (f"--group-add {group}" for group in devices.groups)
    if container.shm_gib:
        yield f"--shm-size {container.shm_gib}g"
    if container.memory_gib:
        yield f"--memory {round(container.memory_gib * 1024)}m"


def _publish(container: Container) -> Iterator[str]:
    if published := container.published:
        address = f"[{published.address}]" if ":" in published.address else published.address
        yield f"--publish {shell.quote(f'{address}:{published.port}:{published.inner}')}"


def _mount(project: str, mount: Bind | Volume) -> str:
    # The value is CSV to docker: every field that could hold a comma is quoted.
    end = f",{_field(f'dst={mount.target}')}" + (",readonly" if mount.read_only else "")
    if isinstance(mount, Volume):
        return shell.quote(f"type=volume,src={project}-{mount.name}{end}")
    return f"""'type=bind,"src='{host_path(mount.source.replace('"', '""'))}{shell.quote('"' + end)}"""


def _field(text: str) -> str:
    return '"{}"'.format(text.replace('"', '""')) if set(text) & set(',"') else text


def host_path(path: str) -> str:
    """Return a path of the host as shell; what is not absolute is beside the script."""
    if path == "~" or path.startswith(("~/", "/")):
        return shell.quote_home(path)
    return f'"$here"/{shell.quote(path.removeprefix("./"))}'
