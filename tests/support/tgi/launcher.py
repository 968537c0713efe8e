"""`text-generation-launcher`: what it checks, in its order, before a request can come."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import NoReturn

from support.tgi import hub
from support.tgi.clap import Asked, Refused, parse
from support.tgi.log import Log, arguments, traceback
from support.tgi.router import Router, address

_ATTENTION = ("flashdecoding", "flashdecoding-ipex", "flashinfer", "paged")
_NOT_QUANTIZED = (None, "bitsandbytes", "bitsandbytes-nf4", "bitsandbytes-fp4")
_ON = ("1", "true")


class Failed(Exception):  # noqa: N818  LauncherError, as `main` returns it
    """The text is Rust's Debug of the error; the status is 1."""


class Panic(Exception):  # noqa: N818  not returned by `main`, but the end of it
    """The status is 101."""


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    try:
        args = parse(argv, environ)
        log = Log(environ, as_json=args.json_output)
        # Before anything is looked at, for whoever stops it while it loads.
        stopped = _signals()
        return serve(check(args, environ, log), args, log, stopped)
    except Asked as answer:
        print(answer)
        return 0
    except Refused as error:
        print(error, file=sys.stderr)
        return 2
    except Panic as error:
        print(f"thread 'main' panicked at launcher/src/main.rs:\n{error}", file=sys.stderr)
        return 101
    except Failed as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1


def check(args: SimpleNamespace, environ: Mapping[str, str], log: Log) -> Router:
    """Return what is served, or raise what the launcher ends with."""
    log.launcher("INFO", arguments(args))
    files = hub.files(args, environ)
    shards = _shards(args, environ)
    if shards > 1 and args.quantize == "exl2":
        _invalid("Sharding is currently not supported with `exl2` quantization")
    prompt, total = _lengths(args)
    if prompt is not None and total is not None and prompt >= total:
        _invalid(f"`max_input_tokens`({prompt}) must be < `max_total_tokens`({total})")
    if args.validation_workers == 0:
        _invalid("`validation_workers` must be > 0")
    if args.max_batch_total_tokens is not None and (total or 0) > args.max_batch_total_tokens:
        given = f"{total} and {args.max_batch_total_tokens}"
        _invalid(f"`max_total_tokens` must be <= `max_batch_total_tokens`. Given: {given}")
    for name in ("ngrok_authtoken", "ngrok_edge") if args.ngrok else ():
        if getattr(args, name) is None:
            _invalid(f"`{name.replace('_', '-')}` must be set when using ngrok tunneling")
    _download(args, environ, log)
    attention = environ.get("ATTENTION", "flashinfer")
    _start_shards(args, environ, log, files, shards, attention)
    chunked = (
        environ.get("PREFILL_CHUNKING", "1").lower() in _ON and not args.speculate and attention != "paged"
    )
    return _router(args, environ, log, files, chunked)


def _shards(args: SimpleNamespace, environ: Mapping[str, str]) -> int:
    devices = _devices(environ)
    match args.sharded, args.num_shard:
        case True, None:
            if devices is None:
                names = "CUDA_VISIBLE_DEVICES/NVIDIA_VISIBLE_DEVICES/ZE_AFFINITY_MASK"
                raise Panic(f"--num-shard and {names} are not set")
            if devices <= 1:
                text = f"`sharded` is true but only found {devices} CUDA devices"
                raise Failed(f'NotEnoughCUDADevices("{text}")')
            return devices
        case True, number if number <= 1:
            _invalid("`sharded` is true but `num_shard` <= 1")
        case False, None:
            return 1
        case None, None:
            return devices if devices is not None else 1
        case _, 0:
            _invalid("`num_shard` cannot be < 1")
    return int(args.num_shard)


def _devices(environ: Mapping[str, str]) -> int | None:
    """Return how many devices the environment names. `all` is counted by nvidia-smi, which is not here."""
    for name in ("CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES", "ZE_AFFINITY_MASK"):
        if name in environ:
            value = environ[name]
            unknown = name.startswith("NVIDIA") and value.strip() in ("all", "void")
            return None if unknown else len(value.split(","))
    return None


def _lengths(args: SimpleNamespace) -> tuple[int | None, int | None]:
    prompt, legacy = args.max_input_tokens, args.max_input_length
    if prompt is not None and legacy is not None:
        _invalid(
            f"Both `max_input_tokens` ({prompt}) and `max_input_length` ({legacy}) are set. Please define "
            "only `max_input_tokens` as `max_input_length is deprecated for naming consistency."
        )
    return (prompt if prompt is not None else legacy), args.max_total_tokens


def _download(args: SimpleNamespace, environ: Mapping[str, str], log: Log) -> None:
    log.launcher("INFO", f"Starting check and download process for {args.model_id}", span="download")
    try:
        hub.download(args, environ)
    except hub.Missing as missing:
        text = traceback("/usr/src/server/text_generation_server/cli.py in download_weights", str(missing))
        log.launcher("ERROR", f"Download encountered an error: {text}", span="download")
        raise Failed("DownloadError") from None
    log.launcher("INFO", f"Successfully downloaded weights for {args.model_id}", span="download")


def _start_shards(
    args: SimpleNamespace,
    environ: Mapping[str, str],
    log: Log,
    files: hub.Files,
    shards: int,
    attention: str,
) -> None:
    """Do what `text-generation-server serve` does before it has to touch a device."""
    log.launcher("INFO", "Starting shard", span="shard-manager", fields="rank=0")
    error = _server_error(args, environ, files, shards, attention)
    if error is None:
        log.launcher("INFO", "Shard ready in 0.1s", span="shard-manager", fields="rank=0")
        return
    text = traceback("/usr/src/server/text_generation_server/cli.py in serve", error)
    message = f"Shard complete standard error output:\n{text}"
    log.launcher("ERROR", message, span="shard-manager", fields="rank=0")
    log.launcher("ERROR", "Shard 0 failed to start")
    log.launcher("INFO", "Shutting down shards")
    raise Failed("ShardCannotStart")


def _server_error(
    args: SimpleNamespace, environ: Mapping[str, str], files: hub.Files, shards: int, attention: str
) -> str | None:
    if attention not in _ATTENTION:
        return f"AssertionError: Attention is not valid {attention}, expected {set(_ATTENTION)}"
    prefixes = environ.get("PREFIX_CACHING", "0" if attention == "paged" else "true")
    if prefixes.lower() in _ON and attention == "paged":
        return "RuntimeError: Prefix caching is only supported with flashinfer"
    if args.dtype is not None and (args.quantize or files.quantize) not in _NOT_QUANTIZED:
        return (
            "RuntimeError: Only 1 can be set between `dtype` and `quantize`, as they both decide how goes "
            "the final model."
        )
    if shards > (_devices(environ) or shards):
        return "AssertionError: Each process is one gpu"
    if Path(args.model_id).is_dir() and files.config is None:
        place = f"https://huggingface.co/{args.model_id}/tree/{args.revision}"
        return (
            f"OSError: {args.model_id} does not appear to have a file named config.json. Checkout '{place}' "
            "for available files."
        )
    return None


def _router(
    args: SimpleNamespace, environ: Mapping[str, str], log: Log, files: hub.Files, chunked: bool
) -> Router:
    """Do what `text-generation-router` does before it listens. Memory is taken to be enough."""
    log.launcher("INFO", "Starting Webserver")
    if args.max_batch_size == 0:
        _router_invalid("`max_batch_size` must be > 0", log)
    prompt, total = _lengths(args)
    total = total if total is not None else files.positions or 4096
    prompt = prompt if prompt is not None else total - 1
    step = args.max_batch_prefill_tokens
    if step is None:
        step = min(4096, files.positions or 4096)
    if prompt >= total:
        _router_invalid("`max_input_tokens` must be < `max_total_tokens`", log)
    if prompt > step and not chunked:
        given = f"{step} and {prompt}"
        _router_invalid(f"`max_batch_prefill_tokens` must be >= `max_input_tokens`. Given: {given}", log)
    router = Router.of(args, environ, prompt, total, files.has_chat_template(args.tokenizer_config_path))
    if router.host != args.hostname:
        log.router("WARN", "Invalid hostname, defaulting to 0.0.0.0")
    try:
        # It opens this port and drops it again: nobody can scrape it, but it must be free.
        with _bound(router.host, args.prometheus_port):
            pass
    except OSError as error:
        _crashed(f"failed to build prometheus recorder: FailedToCreateHTTPListener({error.strerror})", log)
    if args.ngrok:
        _crashed("ngrok feature is not functional with axum=0.7 and hyper=1", log)
    return router


def _bound(host: str, port: int) -> socket.socket:
    family, place = address(host, port)
    found = socket.socket(family, socket.SOCK_STREAM)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(place)
        found.listen()
    except OSError:
        found.close()
        raise
    return found


def serve(router: Router, args: SimpleNamespace, log: Log, stopped: threading.Event) -> int:
    """Answer until a signal comes, then finish what runs, for as long as it may."""
    from support.tgi.server import Server

    try:
        server = Server(router, log)
    except OSError as error:
        log.router("ERROR", f"Failed to bind to {router.host}:{router.port}: {error.strerror}")
        _crashed(f"WebServer(Axum({error.strerror}))", log, "Error")
    log.router("INFO", "Connected")
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    stopped.wait()
    log.launcher("INFO", "Terminating webserver")
    log.router("INFO", "signal received, starting graceful shutdown")
    log.launcher("INFO", "Waiting for webserver to gracefully shutdown")
    done = server.finish(args.graceful_termination_timeout)
    log.launcher("INFO", "webserver terminated" if done else "webserver killed")
    log.launcher("INFO", "Shutting down shards")
    sys.stdout.flush()
    # Connections that wait for a next request have threads of their own, and nobody waits for those.
    os._exit(0)


def _signals() -> threading.Event:
    stopped = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(name, lambda *_: stopped.set())
    return stopped


def _invalid(text: str) -> NoReturn:
    raise Failed(f'ArgumentValidation("{text}")')


def _router_invalid(text: str, log: Log) -> NoReturn:
    _crashed(f'ArgumentValidation("{text}")', log, "Error")


def _crashed(text: str, log: Log, kind: str = "thread 'main' panicked") -> NoReturn:
    """The router's own stderr comes out of the launcher's stdout."""
    print(f"{kind}: {text}", flush=True)
    log.launcher("ERROR", "Webserver Crashed")
    log.launcher("INFO", "Shutting down shards")
    raise Failed("WebserverFailed")
