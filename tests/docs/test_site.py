"""The pages as a site: each has a place, links lead to where things stand there, and nothing comes from elsewhere."""

from __future__ import annotations

import functools
import http.server
import subprocess
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.docs.pages import DOCS, PAGES, ROOT, name_of
from tests.docs.pictures import PICTURES, take
from tests.docs.site import address, flaws, left_out, linked_from, source, staged
from tests.support.browsers import ARGUMENTS, CHROMIUM

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAGE: Final = '<link rel="stylesheet" href="site.css"><a href="other.html#there">on</a><h2 id="here">Here</h2>'
OTHER: Final = '<h2 id="there">There</h2><img src="picture.svg"><a href="https://example.org/">away</a>'

BROKEN: Final = "[...document.images].filter(one => one.checkVisibility() && !one.naturalWidth).map(one => one.src)"
"""The pictures of a page that a browser cannot show."""


def test_each_page_has_a_place_in_the_navigation() -> None:
    assert left_out() == []


def test_no_two_things_have_one_address() -> None:
    everything = {*PAGES, *(path for page in PAGES for path in linked_from(page))}
    assert len({address(path) for path in everything}) == len(everything)


def drawn(code: str, theme: str) -> str:
    return f"<svg>{theme}: {code}</svg>"


@pytest.fixture
def text(tmp_path: Path) -> dict[str, str]:
    return {
        name_of(page): staged(page, tmp_path, drawn) for page in (ROOT / "README.md", DOCS / "explanation/states.md")
    }


def test_a_link_leads_to_where_its_page_stands(text: dict[str, str]) -> None:
    assert "](tutorial.md)" in text["README.md"]
    assert "](how-to/index.md)" in text["README.md"]
    assert "](project/security.md)" in text["README.md"]
    assert "](images/console.png)" in text["README.md"]
    assert "](../source/bridge/store/lifecycle.py.md)" in text["docs/explanation/states.md"]


def test_code_stays_as_it_is(tmp_path: Path) -> None:
    page = DOCS / "how-to" / "write-a-handler.md"
    fences = [part for at, part in enumerate(page.read_text("utf-8").split("```")) if at % 2]
    shown = staged(page, tmp_path, drawn)
    assert fences
    assert [fence for fence in fences if fence not in shown] == []


def test_a_diagram_is_a_picture_for_light_and_for_dark(tmp_path: Path, text: dict[str, str]) -> None:
    assert "mermaid" not in text["docs/explanation/states.md"]
    assert "![A diagram](diagram-1-states-light.svg#only-light)" in text["docs/explanation/states.md"]
    for theme, only in (("default", "light"), ("dark", "dark")):
        picture = (tmp_path / "explanation" / f"diagram-1-states-{only}.svg").read_text("utf-8")
        assert picture.startswith(f"<svg>{theme}: stateDiagram-v2\n")


def test_a_file_that_a_page_names_has_a_page_with_its_text() -> None:
    assert "```python\n" + (ROOT / "handlers/menu.py").read_text("utf-8") in source(ROOT / "handlers/menu.py")
    assert "- `menu.py`\n" in source(ROOT / "handlers")
    assert "````dockerfile" not in source(ROOT / "docs/deploy/Dockerfile")


def built(folder: Path, page: str = PAGE, style: str = "a { color: red }") -> Path:
    for name, content in {"page.html": page, "other.html": OTHER, "site.css": style, "picture.svg": "<svg/>"}.items():
        (folder / name).write_text(content, "utf-8")
    return folder


def test_a_site_whose_links_lead_somewhere_has_no_flaw(tmp_path: Path) -> None:
    assert flaws(built(tmp_path)) == []


@pytest.mark.parametrize(
    "planted",
    [
        '<a href="gone.html">x</a>',
        '<a href="other.html#gone">x</a>',
        '<img src="gone.png">',
        '<script src="https://cdn.example.org/x.js"></script>',
        '<link rel="stylesheet" href="//fonts.example.org/css">',
        "<img src=https://pictures.example.org/x.png>",
    ],
)
def test_what_is_not_there_or_comes_from_elsewhere_is_a_flaw(tmp_path: Path, planted: str) -> None:
    assert len(flaws(built(tmp_path, PAGE + planted))) == 1


@pytest.mark.parametrize(
    "planted", ["@import 'https://x.example.org/a.css';", "a { src: url(//x.example.org/f.woff) }"]
)
def test_a_style_from_elsewhere_is_a_flaw(tmp_path: Path, planted: str) -> None:
    assert len(flaws(built(tmp_path, style=planted))) == 1


@contextmanager
def served(folder: Path) -> Iterator[str]:
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.mark.soak
@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine: the site is not looked at")
def test_the_site_in_a_browser_asks_no_other_host_and_its_search_finds() -> None:
    subprocess.run(["make", "docs"], cwd=ROOT, check=True)
    with served(ROOT / "build/site/html") as home, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        for width in (390, 1300):
            _look(browser, home, width)


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine: no picture can be taken")
def test_the_pictures_of_the_console_can_be_taken_again_and_are_as_large(tmp_path: Path) -> None:
    take(tmp_path)
    for name in PICTURES:
        first, again = ((folder / name).read_bytes() for folder in (DOCS / "images", tmp_path))
        assert first[:8] == again[:8] == b"\x89PNG\r\n\x1a\n"
        assert first[16:24] == again[16:24], f"{name}, width and height: run `python -m tests.docs.pictures`"


def _look(browser: Browser, home: str, width: int) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900})
    asked, failed = set[str](), list[str]()
    page.on("request", lambda request: asked.add(request.url))
    page.on("response", lambda response: failed.append(response.url) if response.status >= 400 else None)
    page.on("pageerror", lambda error: failed.append(str(error)))
    for path in ("index.html", "tutorial.html", "explanation/states.html", "providers/matrix.html"):
        page.goto(home + path, wait_until="networkidle")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        assert page.evaluate(BROKEN) == []
    page.keyboard.press("/")
    page.keyboard.type("idempotency")
    page.get_by_text(" results").wait_for()
    assert failed == []
    assert [url for url in asked if not url.startswith((home, "data:", "blob:"))] == []
