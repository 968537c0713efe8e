"""The page of `plan --html` in a real browser, on a wide screen and on a phone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace
from support import ledgers, plans
from support.browser import Page, browser
from support.tools import ROOT

from llmdeploy.compiler import compile
from llmdeploy.plan.document import document
from llmdeploy.plan.hardware import hardware
from llmdeploy.show.cards import pools
from llmdeploy.show.page import page

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.xdist_group("chromium")]

SHOTS = ROOT / ".artifacts" / "plan-html"
"""Where the pictures of the last run are, to be looked at."""
WIDTHS = (1280, 390)
FINDING = {
    "code": "LD302",
    "severity": "error",
    "message": "`large` lacks 69.92 GiB for one request of 32,768 tokens",
    "path": ["models", "large"],
    "file": "llm.yaml",
    "line": 12,
    "column": 5,
    "help": "take more GPUs, or `quantization: fp8`",
    "notes": [{"text": "79.18 GiB × 0.92", "path": None}],
}
# Of everything that has text of its own: its colour against the nearest colour behind it.
CONTRASTS = """
(() => {
  const parse = text => text.match(/[0-9.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(c => (c /= 255) <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [.2126, .7152, .0722][i], 0);
  const behind = element => {
    for (let e = element; e; e = e.parentElement) {
      const color = parse(getComputedStyle(e).backgroundColor);
      if (color.length < 4 || color[3] > 0) return color;
    }
    return [255, 255, 255];
  };
  return [...document.body.querySelectorAll("*")].filter(e => e.getClientRects().length
    && parseFloat(getComputedStyle(e).fontSize) > 0
    && [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())).map(e => {
    const pair = [light(parse(getComputedStyle(e).color)), light(behind(e))].sort((a, b) => b - a);
    return [e.className + " " + e.textContent.slice(0, 30), (pair[0] + .05) / (pair[1] + .05)];
  }).filter(([, ratio]) => ratio < 4.5);
})()
"""


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browser(tmp_path_factory.mktemp("chromium")) as page:
        yield page


def gallery() -> str:
    """Everything at once, with a command line that does not fit on a screen and text that is not ours."""
    odd = {
        "long": "x" * 3000,
        "html": "<script>document.title='run'</script><img src=https://example.com/x.png>",
        "style": "</style><style>@import 'https://example.com/x.css'</style>",
    }
    first, *others = ledgers.GALLERY.services
    launch = replace(
        first.launch, args=(*first.launch.args, *(f"--{k}={v}" for k, v in odd.items())), env=odd
    )
    plan = replace(ledgers.GALLERY, services=(replace(first, launch=launch), *others))
    urls = [("docker", [(f"http://127.0.0.1:8080{route.path}", route.service) for route in plan.routes])]
    shown = {**document(plan), "diagnostics": [FINDING]}
    return page(shown, plan, pools(plan, ledgers.GALLERY_POOLS), urls)


def hybrid() -> str:
    result = compile((ROOT / "examples" / "02-hybrid" / "llm.yaml").read_text(encoding="utf-8"), emit=False)
    assert result.plan is not None and result.spec is not None
    services = (
        replace(each, memory=each.memory or ledgers.HYBRID[each.name]) for each in result.plan.services
    )
    plan = replace(result.plan, services=tuple(services))
    urls = [("docker", [(f"http://127.0.0.1:8080{route.path}", route.service) for route in plan.routes])]
    return page({**document(plan), "diagnostics": []}, plan, pools(plan, hardware(result.spec)), urls)


def bare() -> str:
    plan = plans.HYBRID
    return page({**document(plan), "diagnostics": []}, plan, (), [("helm", [])])


PAGES = {"gallery": gallery, "hybrid": hybrid, "bare": bare}


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", PAGES)
def test_the_page_is_whole_readable_and_silent(
    name: str, width: int, dark: bool, chromium: Page, tmp_path: Path
) -> None:
    file = tmp_path / "plan.html"
    file.write_text(PAGES[name](), encoding="utf-8")
    chromium.open(file, width, dark=dark)
    chromium.screenshot(SHOTS / f"{name}-{width}{'-dark' if dark else ''}.png")
    chromium.ask("document.querySelectorAll('details').forEach(each => each.open = true)")
    assert chromium.ask("innerWidth") == width
    assert chromium.ask("document.documentElement.scrollWidth") <= width
    assert chromium.ask("document.body.scrollWidth") <= width
    assert chromium.ask(CONTRASTS) == []
    asked = [event["request"]["url"] for event in chromium.said("Network.requestWillBeSent")]
    assert asked == [file.as_uri()]
    # Nothing was refused, either: no element tried.
    assert chromium.said("Log.entryAdded") == []
    assert chromium.said("Runtime.exceptionThrown") == []
    assert chromium.ask("document.title") != "run"
    assert chromium.ask("document.scripts.length + document.images.length") == 0


@pytest.mark.parametrize("width", WIDTHS)
def test_every_segment_of_a_bar_is_seen_and_the_bar_is_full(
    width: int, chromium: Page, tmp_path: Path
) -> None:
    file = tmp_path / "plan.html"
    file.write_text(gallery(), encoding="utf-8")
    chromium.open(file, width)
    bars = chromium.ask(
        "[...document.querySelectorAll('.bar')].map(bar => ({width: bar.clientWidth,"
        " parts: [...bar.querySelectorAll(':scope > span')].map(part => part.getBoundingClientRect().width)}))"
    )
    assert len(bars) == 11
    for bar in bars:
        assert min(bar["parts"]) >= 2
        assert sum(bar["parts"]) == pytest.approx(bar["width"], abs=1)


def test_a_command_line_is_selected_whole_by_one_click(chromium: Page, tmp_path: Path) -> None:
    file = tmp_path / "plan.html"
    file.write_text(hybrid(), encoding="utf-8")
    chromium.open(file, 1280)
    at = chromium.ask(
        "(() => { const code = document.querySelector('pre code'); code.scrollIntoView({block: 'center'});"
        " const box = code.getBoundingClientRect(); return [box.left + 20, box.top + 10]; })()"
    )
    for kind in ("mousePressed", "mouseReleased"):
        chromium.call("Input.dispatchMouseEvent", type=kind, x=at[0], y=at[1], button="left", clickCount=1)
    assert chromium.ask("getSelection().toString() === document.querySelector('pre code').textContent")
