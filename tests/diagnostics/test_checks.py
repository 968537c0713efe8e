"""What the pages have no room for: which findings come, and which stay away because another says it better."""

from __future__ import annotations

import pytest

from llmdeploy.compiler import compile
from llmdeploy.diagnostics import Severity

GPU = "gpu: {type: l40s, count: 4}"


def codes(
    model: str = "source: Qwen/Qwen3-8B",
    *,
    gpus: str = GPU,
    secrets: str = "{}",
    route: str = "chat",
    targets: str = "{docker: {}}",
) -> list[str]:
    text = (
        f"version: 1\nname: demo\ngpus: {{{gpus}}}\nsecrets: {secrets}\nmodels: {{chat: {{{model}}}}}\n"
        f"routes: [{{path: /chat, model: {route}}}]\ntargets: {targets}\n"
    )
    return [d.code for d in compile(text).diagnostics if d.severity is not Severity.NOTE]


def test_a_plain_file_has_no_findings() -> None:
    assert codes() == []


@pytest.mark.parametrize(
    "model",
    [
        "source: ./mine, revision: main",
        "source: ./mine, token: hf",
        "source: {openllm: 'qwen3:8b'}, engine: openllm, revision: main",
    ],
)
def test_what_speaks_of_a_hub_repository_needs_one(model: str) -> None:
    found = codes(model, secrets="{hf: {env: HF_TOKEN}}" if "token" in model else "{}")
    assert [code for code in found if code != "LD505"] == ["LD106"]


def test_the_token_of_an_openllm_model_downloads_its_weights() -> None:
    model = "source: {openllm: 'llama3.2:1b'}, engine: openllm, token: hf"
    assert codes(model, secrets="{hf: {env: HF_TOKEN}}") == ["LD505"]


@pytest.mark.parametrize("method", ["awq", "gptq"])
def test_a_format_of_checkpoints_needs_such_a_checkpoint(method: str) -> None:
    assert codes(f"source: Qwen/Qwen3-8B, quantization: {method}") == ["LD331"]
    assert codes(f"source: someone/model, quantization: {method}") == []  # nothing is known of it


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"route": "caht"}, ["LD204"]),
        ({"model": "source: Qwen/Qwen3-8B, gpus: {pool: gpus, count: 1}"}, ["LD202"]),
        ({"model": "source: Qwen/Qwen3-8B, token: hf", "secrets": "{hf-token: {env: X}}"}, ["LD203"]),
    ],
)
def test_a_name_that_does_not_exist_is_all_that_is_said(given: dict[str, str], expected: list[str]) -> None:
    """What it was meant to name would else be reported as unused."""
    assert codes(**given) == expected


@pytest.mark.parametrize(
    ("model", "gpus", "expected"),
    [
        ("source: Qwen/Qwen3-8B, gpus: 8", GPU, ["LD303"]),
        ("source: Qwen/Qwen3-8B, replicas: 5", GPU, ["LD303"]),
        ("source: Qwen/Qwen3-8B, gpus: 2", "cpu: {type: cpu, memory: 16GiB}", ["LD303"]),
        ("source: Qwen/Qwen3-8B, gpus: 4", "gpu: {type: l40s, count: 4, devices: [0, 1]}", ["LD311"]),
        ("source: Qwen/Qwen3-8B, replicas: 6", "gpu: {type: l40s, count: 4, nodes: 2}", ["LD401"]),
        (
            "source: Qwen/Qwen3-8B, gpus: 4",
            "gpu: {type: l40s, count: 8, nodes: 2, devices: [0, 1]}",
            ["LD311"],
        ),
    ],
)
def test_gpus_that_do_not_suffice_are_reported_once(model: str, gpus: str, expected: list[str]) -> None:
    assert codes(model, gpus=gpus) == expected


def test_the_devices_of_a_host_are_counted_over_all_its_pools() -> None:
    model = "source: Qwen/Qwen3-8B, gpus: {pool: b, count: 1}"
    pools = "a: {type: l4, count: 3, devices: [0, 1, 2]}, b: {type: l40s, count: 1, devices: [%d]}"
    assert codes(model, gpus=pools % 3) == ["LD510"]
    assert codes(model, gpus=pools % 4) == ["LD510", "LD311"]
    assert codes(model, gpus=pools % 2) == ["LD510", "LD311"]


def test_a_name_that_one_model_lists_twice_is_no_second_model() -> None:
    text = (
        "version: 1\nname: demo\ngpus: {%s}\nmodels:\n  chat: {source: Qwen/Qwen3-8B, served_names: [a, a]}\n"
    )
    found = [d for d in compile(text % GPU).diagnostics if d.code == "LD502"]
    assert [d.message for d in found] == ["`a` is listed twice"]


@pytest.mark.parametrize(
    "toleration",
    [
        "{key: a, operator: Exists, value: b}",
        "{value: b}",
        "{key: a, value: b, effect: NoSchedule, tolerationSeconds: 5}",
    ],
)
def test_a_toleration_is_one_that_the_server_takes(toleration: str) -> None:
    assert codes(targets=f"{{kubernetes: {{tolerations: [{toleration}]}}}}") == ["LD106"]


def test_ingress_nginx_matches_in_any_case() -> None:
    text = (
        f"version: 1\nname: demo\ngpus: {{{GPU}}}\nmodels: {{chat: {{source: Qwen/Qwen3-8B}}}}\n"
        "routes: [{path: /chat, model: chat}, {path: /Chat, model: chat}]\n"
        "targets: {kubernetes: {routing: ROUTING}}\n"
    )
    found = {
        routing: [d.code for d in compile(text.replace("ROUTING", routing)).diagnostics]
        for routing in ("ingress", "gateway-api")
    }
    assert "LD206" in found["ingress"]
    assert found["gateway-api"] == []


MIG = "gpu: {type: h100-sxm-80gb, count: 7, memory: 9.75GiB, resource: nvidia.com/mig-1g.10gb}"


@pytest.mark.parametrize(("count", "expected"), [(1, []), (2, ["LD303"])])
def test_a_model_takes_one_slice(count: int, expected: list[str]) -> None:
    model = f"source: Qwen/Qwen3-0.6B, context: 4096, gpus: {count}"
    assert codes(model, gpus=MIG, targets="{kubernetes: {}}") == expected


@pytest.mark.parametrize(
    ("namespace", "expected"), [("kube-system", ["LD404"]), ("default", ["LD404"]), ("kubeflow", [])]
)
def test_the_namespace_is_the_projects_own(namespace: str, expected: list[str]) -> None:
    assert codes(targets=f"{{kubernetes: {{namespace: {namespace}}}}}") == expected


@pytest.mark.parametrize(
    ("service", "expected"), [("caht: {mem_limit: 1g}", ["LD404"]), ("more: {image: 'x/y:1'}", [])]
)
def test_an_override_names_a_service_or_brings_one(service: str, expected: list[str]) -> None:
    assert codes(targets=f"{{compose: {{overrides: {{services: {{{service}}}}}}}}}") == expected


def test_a_backend_that_a_patch_takes_away_is_named() -> None:
    patch = "{kind: Service, patch: {spec: {ports: [{name: http, port: 81}]}}}"
    text = (
        f"version: 1\nname: demo\ngpus: {{{GPU}}}\nmodels: {{chat: {{source: Qwen/Qwen3-8B}}}}\n"
        f"routes: [{{path: /chat, model: chat}}]\ntargets: {{kubernetes: {{patches: [{patch}]}}}}\n"
    )
    (found,) = compile(text).diagnostics
    assert "Service `demo-chat` has no port 8000" in found.message


TOKEN = "hf_" + "abcdefghij0123456789" * 2


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"model": f"source: Qwen/Qwen3-8B, token: {TOKEN}"}, ["LD203", "LD310"]),
        ({"model": f"source: Qwen/Qwen3-8B, served_names: [{TOKEN}]"}, ["LD310"]),
        ({"model": f"source: Qwen/Qwen3-8B, image: 'me:{TOKEN}@x.io/y:1'"}, ["LD310"]),
        ({"secrets": f"{{hf: {{env: {TOKEN}}}}}"}, ["LD310", "LD510"]),
        (
            {"targets": f"{{compose: {{overrides: {{services: {{chat: {{labels: {{a: {TOKEN}}}}}}}}}}}}}"},
            ["LD310"],
        ),
        ({"model": "source: sk-group/sk-model-that-has-a-long-name-8b"}, []),
    ],
)
def test_a_credential_is_found_wherever_it_was_pasted(given: dict[str, str], expected: list[str]) -> None:
    assert sorted(codes(**given)) == expected


def test_a_credential_in_place_of_a_name_is_not_printed() -> None:
    text = f"version: 1\nname: demo\ngpus: {{{GPU}}}\nmodels: {{chat: {{source: Qwen/Qwen3-8B, token: {TOKEN}}}}}\n"
    assert TOKEN not in str(compile(text).diagnostics)


def test_the_path_of_routing_by_model_repeats_nothing() -> None:
    text = (
        f"version: 1\nname: demo\ngpus: {{{GPU}}}\nmodels: {{chat: {{source: Qwen/Qwen3-8B}}}}\n"
        "routes: [{path: /v1, by: model}]\n"
    )
    assert [found.code for found in compile(text).diagnostics] == ["LD110"]
