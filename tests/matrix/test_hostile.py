"""Text comes through every target as it was written, whatever a shell, YAML, Compose, Kubernetes or a
template might take it for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from support import readback, specs

from llmdeploy.diagnostics.redact import looks_like_credential

STRINGS = [
    *("'", '"', 'it\'s "both"', "'\"'", "\\", "\\n", "a\\", "`id`", "$(id)", "$(NCCL_DEBUG)", "$HOME"),
    *(
        "$",
        "$$",
        "$$$",
        "$$(NCCL_DEBUG)",
        "${X}",
        "${X:-y}",
        "${X:?}",
        "$NCCL_DEBUG",
        "%s %d",
        "!history",
        "~",
    ),
    *("{{ x }}", "{{", "{% raw %}", "{# c #}", "{{ .Values.name }}", "{{- end }}", "${{ x }}"),
    *("yes", "y", "Y", "no", "on", "off", "true", "True", "null", "NULL", "nan", ".inf", "=", "<<"),
    *(
        "1",
        "012",
        "0o17",
        "0x1f",
        "0b1",
        "1e3",
        "12e5",
        "1E3",
        "1e-3",
        "1_000",
        "1.0",
        "+1",
        "-1",
        ".5",
        "1.",
    ),
    *("12:30", "1:2:3", "2001-01-01", "2001-01-01T00:00:00Z", "6e1234", "123456789012345678901234567890"),
    *(
        "# no comment",
        "a #b",
        "a: b",
        "a:",
        ": a",
        "- a",
        "-",
        "--flag",
        "--",
        "? a",
        "| a",
        "> a",
        "!!int 1",
    ),
    *(
        "&a",
        "*a",
        "@a",
        "%a",
        "[a]",
        "{a: b}",
        "{}",
        "[]",
        ",",
        "a,b",
        "a=b",
        "=a",
        "*",
        "?",
        "a b",
        ";",
        "|",
    ),
    *(
        " a",
        "a ",
        " ",
        "  ",
        "\t",
        "a\tb",
        "a\t",
        "line\nbreak",
        "a\n",
        "\n",
        "\n\n a",
        "a\r\nb",
        "\r",
        "a\n\n",
    ),
    *("ünïcode", "\U0001f680", "e\u0301", "\u00a0", "\u2028", "\u2029", "\u200b"),
    *("<a & b>", "&amp;", "EOF\nEOF", "---", "--- a", "...", "a\n---\nb", "x" * 5000, "long words " * 400),
]
#: Flags of vLLM that take any text and mean nothing before the engine starts.
TEXT_FLAGS = (
    *("hf-config-path", "generation-config", "tokenizer-revision", "code-revision", "config-format"),
    *("allowed-local-media-path", "io-processor-plugin", "mm-encoder-attn-backend", "otlp-traces-endpoint"),
    *("response-role", "scheduler-cls", "ssl-ciphers", "tokenizer", "worker-cls", "worker-extension-cls"),
)
EVERYWHERE = {"PIN": "INFO", "NCCL_DEBUG": "WARN"}  # something for `$(NCCL_DEBUG)` to mean


def check(built: specs.Built, targets: Any = specs.TARGETS) -> None:
    for target in targets:
        seen = readback.read(target, built.plan, built.folder)
        wanted = readback.expected(built.plan, devices=target in readback.NAMES_DEVICES)
        for model, replicas in wanted.items():
            assert seen[model] == replicas, (target, model)


def test_every_string_in_every_place(tmp_path):
    """A model for each string: in its environment, arguments, served names, revision and chat template."""
    models = {f"m{index}": model(text, index) for index, text in enumerate(STRINGS)}
    data = {
        "version": 1,
        "name": "proj",
        "gpus": {"pool": {"type": "h100-sxm-80gb", "count": len(STRINGS)}},
        "models": models,
        "routes": [{"path": f"/{name}", "model": name} for name in models],
        "storage": {"cache": {"access": "ReadWriteMany"}},
    }
    files = {f"./{index}.jinja": text for index, text in enumerate(STRINGS)}
    built = specs.build(data, tmp_path, files=files)
    check(built)
    for service, text in zip(built.plan.services, STRINGS, strict=True):
        assert service.launch.env["TEXT"] == text
        assert follows(service.launch.argv, "--revision") == text
        assert follows(service.launch.argv, "--served-model-name") == text
        assert any(word.endswith(text) for word in service.launch.argv[-2:])
        assert [file.text for file in service.files] == [text]


def test_every_string_in_an_annotation(tmp_path):
    wanted = {f"example.com/a{index}": text for index, text in enumerate(STRINGS)}
    data = {**specs.spec("vllm-0.33.0"), "targets": {"kubernetes": {"annotations": wanted}, "helm": {}}}
    built = specs.build(data, tmp_path)
    chart = readback.rendered(built.plan, tmp_path / "helm/proj")
    for objects in (readback.kustomized(tmp_path / "kubernetes"), chart):
        (pod,) = (each["spec"]["template"] for each in objects if each["kind"] == "Deployment")
        assert wanted.items() <= pod["metadata"]["annotations"].items()


def model(text: str, index: int) -> dict[str, Any]:
    return {
        "source": "Qwen/Qwen3-8B",
        "gpus": 1,
        "revision": text,
        "served_names": [text, f"name-{index}"],
        "env": {**EVERYWHERE, "TEXT": text},
        "engine_args": {TEXT_FLAGS[0]: text},
        "chat_template": f"./{index}.jinja",
    }


def follows(argv: tuple[str, ...], flag: str) -> str:
    return argv[argv.index(flag) + 1]


@pytest.mark.parametrize("engine", ["sglang", "tgi", "openllm"])
def test_every_string_in_the_environment_of_every_engine(engine, tmp_path):
    data = specs.spec(engine)
    env = {f"V{index}": text for index, text in enumerate(STRINGS)}
    data["models"]["chat"]["env"] = {**EVERYWHERE, **env}
    built = specs.build(data, tmp_path)
    assert env.items() <= built.plan.services[0].launch.env.items()
    check(built)


@pytest.mark.parametrize("text", STRINGS)
def test_a_node_label_comes_through_or_is_refused(text, tmp_path):
    """The value of a label has a narrow alphabet, and `yes` and `1e3` are in it."""
    data = {**specs.spec("vllm-0.33.0"), "targets": {"kubernetes": {"node_selector": {"disk": text}}}}
    result = specs.compiled(data, ("kubernetes",))
    if not result.ok:
        (found,) = result.diagnostics
        assert found.path[:3] == ("targets", "kubernetes", "node_selector")
        return
    built = specs.written(result, tmp_path)
    objects = readback.kustomized(tmp_path / "kubernetes")
    (pod,) = (each["spec"]["template"]["spec"] for each in objects if each["kind"] == "Deployment")
    assert pod["nodeSelector"] == {"disk": text}
    assert built.plan


@pytest.mark.parametrize("text", ["a\0b", "\x1b[0m", "\x7f", "\x85", "\ufeff"])
@pytest.mark.parametrize("field", ["env", "engine_args"])
def test_what_cannot_be_passed_on_is_refused(field, text):
    """A NUL ends an argument; the others do not come through kubectl in any spelling."""
    data = specs.spec("vllm-0.33.0")
    data["models"]["chat"][field] = {"some": text}
    (found,) = specs.compiled(data).diagnostics
    assert (found.code, found.path) == ("LD105", ("models", "chat", field, "some"))


TEXT = st.text(
    st.characters(exclude_categories=("Cs", "Cc", "Cn"), exclude_characters="\ufeff")
    | st.sampled_from("$(){}`'\"\\ \n\t#:-!&*?~=%"),
    min_size=1,
    max_size=40,
).filter(lambda text: not looks_like_credential(text))


@settings(
    max_examples=15,
    deadline=None,
    phases=(Phase.explicit, Phase.generate, Phase.shrink),
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(texts=st.lists(TEXT, min_size=30, max_size=60, unique=True))
def test_any_text(texts, tmp_path_factory):
    folder: Path = tmp_path_factory.mktemp("any")
    data = specs.spec("vllm-0.33.0", "one", "chat-template")
    data["models"]["chat"] |= {
        "revision": texts[0],
        "served_names": texts[1:20],
        "env": {**EVERYWHERE, **{f"V{index}": text for index, text in enumerate(texts)}},
        "engine_args": dict(zip(TEXT_FLAGS, texts, strict=False)),
    }
    check(specs.build(data, folder, files={"./chat.jinja": "".join(texts)}))
