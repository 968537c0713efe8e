"""Each diagnostic has a page, and the page is its test: the example gives it, and what is advised does not."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from diagnostics.page import HEADINGS, Page, printed
from support.tools import engine_python

import llmdeploy
from llmdeploy.diagnostics.codes import CODES

PACKAGE = Path(llmdeploy.__file__).parent
PAGES = PACKAGE / "diagnostics" / "explain"


#: Pages that put a model to vLLM itself.
ASKING = {"LD340", "LD341"}
GROUPED = [
    pytest.param(code, marks=pytest.mark.xdist_group("vllm-0.33")) if code in ASKING else code
    for code in CODES
]


@pytest.fixture(params=GROUPED, ids=CODES)
def code(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def path(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No engine is on PATH, but for a page that asks one, and nobody asks the Hub."""
    engine = [str(engine_python("vllm-0.33").parent)] if code in ASKING else []
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("PATH", os.pathsep.join([*engine, "/usr/bin", "/bin"]))


@pytest.fixture
def page(code: str) -> Page:
    return Page((PAGES / f"{code}.md").read_text(encoding="utf-8"))


def test_every_page_has_a_code() -> None:
    assert {path.stem for path in PAGES.iterdir()} == set(CODES)


def test_every_code_is_given_somewhere() -> None:
    """A code that nothing gives would promise a check that does not exist."""
    sources = [
        path for kind in ("*.py", "engine.yaml") for path in PACKAGE.rglob(kind) if path.name != "codes.py"
    ]
    named = {
        code for path in sources for code in re.findall(r"\bLD\d{3}\b", path.read_text(encoding="utf-8"))
    }
    assert set(CODES) - named == set()


def test_a_page_has_its_title_and_the_fixed_headings(page: Page, code: str) -> None:
    assert page.title == f"# {code}: {CODES[code].title}"
    assert page.headings == HEADINGS


@pytest.mark.usefixtures("path")
def test_the_example_gives_the_diagnostic_as_printed(
    page: Page, code: str, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    output = printed(page.blocks("Example"), tmp_path)
    given = re.findall(r"^(\w+)\[(LD\d{3})\]", output, re.MULTILINE)
    assert set(given) == {(CODES[code].severity.value, code)}, "an example shows one diagnostic alone"
    if pytestconfig.getoption("--update-goldens"):
        (PAGES / f"{code}.md").write_text(page.with_output(output), encoding="utf-8")
        return
    assert output == page.output, "if this is meant: make goldens, and review the diff"


@pytest.mark.usefixtures("path")
def test_what_is_advised_does_not_give_it(page: Page, code: str, tmp_path: Path) -> None:
    output = printed(page.blocks("Instead"), tmp_path)
    assert code not in output
    assert "error[" not in output and "Error:" not in output
    assert "warning[" not in output
