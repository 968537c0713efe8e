"""SGLang's own parser tells good command lines from bad ones."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.xdist_group("sglang-0.5.23")


@pytest.fixture(scope="module")
def sglang(oracle):
    return oracle("sglang-0.5.23")


def test_accepts_full_names(sglang):
    argv = ["--model-path", "org/model", "--tensor-parallel-size", "4", "--quantization", "fp8"]
    assert sglang.complaint(argv) is None


def test_reads_the_key_from_its_config_file(sglang, tmp_path):
    (tmp_path / "secret.yaml").write_text("api-key: abc\n")
    assert sglang.complaint(["--model-path", "m", "--config", str(tmp_path / "secret.yaml")]) is None


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        (["--no-such-flag"], "unrecognized arguments: --no-such-flag"),
        (["--trust_remote_code"], "unrecognized arguments: --trust_remote_code"),
        (["--pp", "2"], "ambiguous option: --pp"),
        (["--quantization", "int4"], "invalid choice: 'int4'"),
    ],
)
def test_refuses(sglang, flags, reason):
    assert reason in sglang.complaint(["--model-path", "org/model", *flags])
