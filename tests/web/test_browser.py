"""The pages in a real browser: Chromium, driven by Playwright, checked by axe."""

import os
import re
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from urllib.parse import quote

import pytest
from werkzeug.serving import make_server

from index.builder import build
from index.home import Home
from search.graph import SHARED
from search.history import History
from tests.conftest import HashingEncoder, to_catalog
from tests.web.test_drawing import asked
from web.app import create_app
from web.current import CurrentEngine
from web.settings import Settings

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        CHROMIUM is None and not os.environ.get("CI"),
        reason="no Chromium: install it with apt-get install chromium, or name it in "
        "CHROMIUM",
    ),
]

if CHROMIUM or os.environ.get("CI"):
    from playwright.sync_api import Browser, Page, expect, sync_playwright

NEED = "grounded captioning of images, free"

PAGES = (
    "/",
    f"/search?q={NEED}",
    f"/search?q={NEED}&type=model&deployment=self_hosted",
    "/search?q=train+tickets+to+vienna",
    "/artifact/kosmos-2?match=m&q=captions",
    "/artifact/kosmos-2/alternatives",
    f"/compare/kosmos-2-vs-sketcher?q={NEED}",
    "/graph",
    "/quality",
    "/about/rank",
    "/docs",
    "/artifact/nobody",
)


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox"]
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield opened
        opened.close()


@contextmanager
def serving(settings: Settings, history: History) -> Iterator[str]:
    """Yield the address of a server on the loopback interface."""
    engine = CurrentEngine(settings, history)
    server = make_server("127.0.0.1", 0, create_app(engine, history), threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()
    engine().generation.close()


@pytest.fixture
def address(built: Home, settings: Settings, history: History) -> Iterator[str]:
    with serving(settings, history) as address:
        yield address


@pytest.fixture
def page(browser: "Browser", address: str) -> Iterator["Page"]:
    context = browser.new_context(base_url=address)
    context.set_default_timeout(10_000)
    opened = context.new_page()
    faults: list[str] = []
    opened.on("pageerror", lambda error: faults.append(str(error)))
    opened.goto("/")
    yield opened
    context.close()
    assert not faults


def search(page: "Page", need: str = NEED) -> None:
    page.get_by_role("searchbox").fill(need)
    with page.expect_navigation():  # not what the script shows until then
        page.get_by_role("button", name="Search").click()
    expect(page.locator(".hits > li").first).to_be_visible()


def test_results_come_as_one_types(page: "Page") -> None:
    page.get_by_role("searchbox").press_sequentially("grounded captioning", delay=20)
    expect(page.locator(".hits > li").first).to_contain_text("Kosmos-2")
    assert "q=grounded+captioning" in page.url
    expect(page.locator("#told")).to_contain_text("artifact")
    expect(page.get_by_role("searchbox")).to_be_focused()


def test_a_chip_is_flipped_and_facets_are_chosen(page: "Page") -> None:
    search(page)
    chip = page.locator(".chips li", has_text="price free")
    chip.get_by_role("link", name="prefer").click()
    expect(page.locator(".chips li.prefer")).to_contain_text("price free")
    facets = page.get_by_role("navigation", name="Narrow down")
    link = facets.get_by_role("link", name="self hosted")
    count = int(link.inner_text().split()[-1])
    link.click()
    expect(page.locator(".hits > li")).to_have_count(count)
    expect(facets.locator("[aria-current]")).to_contain_text("self hosted")
    kind = facets.get_by_role("link", name="model")
    count = int(kind.inner_text().split()[-1])
    kind.click()
    expect(page.locator(".hits > li")).to_have_count(count)
    expect(facets.locator("[aria-current]")).to_have_count(2)
    facets.get_by_role("link", name="Any of them again").click()
    expect(facets.locator("[aria-current]")).to_have_count(0)


def test_from_the_tray_to_something_different(page: "Page", history: History) -> None:
    search(page)
    boxes = page.get_by_role("checkbox")
    for number in (0, 1, 2):  # the first one chosen gives way to the third
        boxes.nth(number).check()
    expect(page.locator("input[name=slug]:checked")).to_have_count(2)
    chosen = [box.get_attribute("value") for box in page.locator("input:checked").all()]
    page.get_by_role("button", name="Compare").click()
    expect(page.get_by_label("Verdict")).to_be_visible()
    assert all(slug is not None and slug in page.url for slug in chosen)
    page.get_by_role("link", name="Search for").click()
    expect(page.get_by_role("searchbox")).to_have_value(NEED)
    for slug in chosen:
        expect(page.locator(f".hits a[href*='/artifact/{slug}?']")).to_have_count(0)
        assert history.outcomes(str(slug)).counts["compared"] == 1


def test_what_worked_is_logged(page: "Page", history: History) -> None:
    search(page, "grounded captioning")
    page.get_by_role("link", name="Kosmos-2", exact=True).first.click()
    page.get_by_role("button", name="It worked").click()
    expect(page.get_by_role("status")).to_contain_text("worked")
    counts = history.outcomes("kosmos-2").counts
    assert (counts["chosen"], counts["worked"]) == (1, 1)


def test_everything_is_reached_by_keyboard(page: "Page") -> None:
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="To the content")).to_be_focused()
    for _ in range(2):
        page.keyboard.press("Tab")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.keyboard.type(NEED)
    with page.expect_navigation():
        page.keyboard.press("Enter")
    expect(page.locator(".hits > li").first).to_be_visible()
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.outerHTML.slice(0, 60)"))
    assert any('type="checkbox"' in each for each in reached)
    assert any("/artifact/" in each for each in reached)
    assert any("<summary" in each for each in reached)


def test_the_graph_is_explored_by_keyboard(page: "Page", history: History) -> None:
    history.log.append([*asked("captions", SHARED), *asked("boxes", SHARED)])
    history.flush()
    page.goto("/graph")
    need = page.get_by_role("link", name="Need: captions")
    need.focus()
    stroke = "path => getComputedStyle(path).stroke"
    own = page.locator("g", has=need).locator("path").first
    other = page.locator("g", has=page.get_by_role("link", name="Need: boxes"))
    assert own.evaluate(stroke) == need.locator("rect").evaluate(stroke)
    page.keyboard.press("Enter")
    expect(page.get_by_text("Around captions.")).to_be_visible()
    expect(other).to_have_count(0)
    page.get_by_role("link", name="Artifact: Kosmos-2").press("Enter")
    expect(page.get_by_text("Around kosmos-2.")).to_be_visible()
    expect(other).to_have_count(1)
    page.get_by_role("link", name="Capability: Grounded captioning").press("Enter")
    expect(page).to_have_url(re.compile("/artifact/kosmos-2#grounded-captioning$"))


def test_without_javascript_all_of_it_works(browser: "Browser", address: str) -> None:
    context = browser.new_context(base_url=address, java_script_enabled=False)
    page = context.new_page()
    page.goto("/")
    search(page)
    for number in (0, 1):
        page.get_by_role("checkbox").nth(number).check()
    page.get_by_role("button", name="Compare").click()
    expect(page.get_by_label("Verdict")).to_be_visible()
    context.close()


HOSTILE = (
    "<script>hacked=1</script>",
    "<img src=x onerror=hacked=1>",
    '"><svg onload=hacked=1>',
    "' autofocus onfocus=hacked=1 x='",
    "</title></textarea></script><script>hacked=1</script>",
    "[x](javascript:hacked=1) {{ 7 * 7 }} ${hacked=1}",
    "&lt;script&gt;hacked=1&lt;/script&gt; &#60;script&#62;",
)
"""What marks the window if anything of it is run."""


def hostile(number: int) -> dict[str, object]:
    """Return an artifact each of whose fields is hostile."""
    text = " captions pictures ".join(HOSTILE)
    address = "https://example.org/'onmouseover='hacked=1'?javascript:hacked=1&x=`"
    name = HOSTILE[number % len(HOSTILE)]
    return {
        "slug": f"hostile-{number}",
        "name": f"{name} {number}",
        "type": "model",
        "provider": name,
        "summary": text,
        "url": address,
        "repository": address,
        "license": name,
        "pricing": {"model": "free", "free": True, "starting_price": text},
        "categories": [*HOSTILE],
        "tags": [*HOSTILE],
        "facts": {
            "deployment": [*HOSTILE],
            "inputs": [*HOSTILE],
            "outputs": [*HOSTILE],
            "languages": [*HOSTILE],
            name: text,
        },
        "evidence": {"deployment": {"source": address}, name: {"source": address}},
        "signals": [{"name": name, "value": 1, "source": address}],
        "capabilities": [
            {
                "name": f"Captions {name}",
                "description": text,
                "unique": text,
                "vs_alternatives": f"{text}. {HOSTILE[number - 1]} {number - 1}.",
                "intents": [*HOSTILE],
                "best_for": [*HOSTILE],
                "limitations": [*HOSTILE],
                "requires": [*HOSTILE],
                "inputs": [*HOSTILE],
                "outputs": [*HOSTILE],
                "source": address,
            }
        ],
        "sources": [address],
    }


BAIT = HOSTILE[1]

WATCH = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) =>
  window.violations.push(event.violatedDirective + " " + event.blockedURI));
"""


def test_nothing_of_a_record_or_a_need_is_run(
    browser: "Browser", home: Home, settings: Settings, history: History
) -> None:
    build(to_catalog([*map(hostile, range(len(HOSTILE)))]), HashingEncoder(), home)
    history.log.append(
        [each for text in HOSTILE for each in asked(text, SHARED, "hostile-1")]
    )
    with serving(settings, history) as address:
        context = browser.new_context(base_url=address)
        context.add_init_script(WATCH)
        page = context.new_page()
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("dialog", lambda dialog: faults.append(dialog.message))

        def harmless(where: str) -> None:
            page.evaluate("document.querySelectorAll('details').forEach(e=>e.open=1)")
            page.evaluate("document.querySelectorAll('a, input').forEach(e=>e.focus())")
            assert page.evaluate("window.hacked") is None, where
            assert page.evaluate("window.violations") == [], where
            assert not faults, where

        for path in (
            "/artifact/hostile-0?match=m&q={}&thanks={}",
            "/artifact/hostile-1/alternatives?q={}",
            "/compare/hostile-1-vs-hostile-2?q=captions+{}",
            "/graph?need={}&artifact={}",
            "/graph",
            "/search?q=captions+{}&provider={}&license={}",
            "/nowhere/{}",
        ):
            for text in HOSTILE if "{}" in path else ("",):
                page.goto(path.replace("{}", quote(text, safe="")))
                harmless(f"{path} {text}")
        page.goto("/")
        for text in HOSTILE:
            with page.expect_response(lambda found: "/search?" in found.url):
                page.get_by_role("searchbox").fill(f"captions {text}")
            expect(page.locator("h1")).to_have_text(f"captions {text}")
            harmless(f"typed {text}")
        # What is not escaped would be seen, and the policy stops it all the same.
        page.evaluate(
            "html => document.body.insertAdjacentHTML('beforeend', html)", BAIT
        )
        page.wait_for_function("window.violations.length > 0")
        assert page.evaluate("window.hacked") is None
        context.close()


@pytest.mark.parametrize("width", [360, 1440])
def test_no_page_is_wider_than_the_screen(
    browser: "Browser", address: str, width: int
) -> None:
    context = browser.new_context(
        base_url=address, viewport={"width": width, "height": 800}
    )
    page = context.new_page()
    for path in PAGES:
        page.goto(path)
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width, path
    context.close()


def test_the_first_page_is_light(page: "Page") -> None:
    page.wait_for_load_state("networkidle")
    loaded = page.evaluate(
        "['navigation', 'resource'].flatMap(each => performance.getEntriesByType(each))"
        ".map(each => each.transferSize)"
    )
    assert 0 < sum(loaded) < 60_000


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(
    browser: "Browser", address: str, history: History, scheme: str
) -> None:
    axe = (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
    history.log.append([*asked("captions", SHARED)])
    context = browser.new_context(base_url=address, color_scheme=scheme)  # type: ignore[arg-type]  # it is one of the schemes
    page = context.new_page()
    for path in PAGES:
        page.goto(path)
        page.evaluate(axe)
        found = page.evaluate("axe.run()")
        faults = [
            (each["id"], [node["html"] for node in each["nodes"]][:3])
            for each in found["violations"]
            if each["impact"] in ("serious", "critical")
        ]
        assert not faults, path
    context.close()
