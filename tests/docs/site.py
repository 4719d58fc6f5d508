"""The pages as a site: `python -m tests.docs.site stage|check FOLDER`, with zensical's build in between (`make docs`).

Staging copies the pages to where their addresses are short, draws their diagrams, and makes a page of each file that
a page links to. So the site holds all that it names, and nothing of it comes from another host.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.docs.pages import DOCS, PAGES, ROOT, name_of, section

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_FENCE: Final = re.compile(r"^( *)```([^\n]*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_LINK: Final = re.compile(r"\]\((?![a-z]+:|#)([^)#\s]+)(#[^)\s]*)?\)")
_ITEM: Final = re.compile(r"(?:[-*]|\d+\.) ")
_PICTURES: Final = {".png", ".svg"}
_LANGUAGES: Final = {".py": "python", ".md": "markdown", ".yml": "yaml", ".service": "ini", ".socket": "ini"}
CONFIGURATION: Final = """\
[project]
site_name = "threadbridge"
site_description = "Durable conversations over five messaging gateways."
docs_dir = "pages"
site_dir = "html"
use_directory_urls = false
extra_css = ["site.css"]
nav = {nav}

[project.theme]
font = false
features = [
    "content.code.copy",
    "navigation.indexes",
    "navigation.sections",
    "navigation.tabs",
    "navigation.top",
    "search.highlight",
    "toc.follow",
]

[[project.theme.palette]]
media = "(prefers-color-scheme: light)"
scheme = "default"
toggle = {{icon = "lucide/sun", name = "Switch to the dark colours"}}

[[project.theme.palette]]
media = "(prefers-color-scheme: dark)"
scheme = "slate"
toggle = {{icon = "lucide/moon", name = "Switch to the light colours"}}

[project.plugins.search]

[project.markdown_extensions.attr_list]
[project.markdown_extensions.md_in_html]
[project.markdown_extensions.tables]
[project.markdown_extensions.toc]
permalink = true
slugify = {{object = "pymdownx.slugs.slugify", kwds = {{case = "lower"}}}}
[project.markdown_extensions.pymdownx.highlight]
[project.markdown_extensions.pymdownx.inlinehilite]
[project.markdown_extensions.pymdownx.superfences]
"""
STYLE: Final = """\
.md-typeset p:has(> img[src*="diagram-"]) { overflow-x: auto; }
.md-typeset img[src*="diagram-"] { min-width: 34rem; }
.md-typeset__table { width: 100%; }
.md-typeset table:not([class]) { display: table; }
"""


def address(path: Path) -> str:
    """Where a page, or a file that a page links to, stands in the site: a path under its pages."""
    if path == ROOT / "README.md":
        return "index.md"
    if path.suffix == ".md" and path.parent == ROOT:
        return f"project/{path.stem.lower()}.md"
    if path.suffix == ".md" or path.suffix in _PICTURES:
        return str(path.relative_to(DOCS)).replace("README.md", "index.md").replace("'", "")
    return f"source/{path.relative_to(ROOT)}{'/index' if path.is_dir() else ''}.md"


def linked_from(page: Path) -> Iterator[Path]:
    """What the links of a page lead to."""
    for target, _ in _LINK.findall(_FENCE.sub("", page.read_text("utf-8"))):
        yield Path(os.path.normpath(page.parent / target))


def navigation() -> list[object]:
    """The site's tree: the README's list of documentation, and the groups of the page of pages."""
    bullets = re.findall(r"^- \*\*(.+?)\*\*: (.*)$", section(ROOT / "README.md", "## Documentation"), re.MULTILINE)
    listed = {name: re.findall(r"\[(.+?)\]\((.+?)\)", links) for name, links in bullets}
    how_to = DOCS / "how-to" / "README.md"
    groups = re.findall(r"^(\w[^\n]*):\n\n((?:- .*\n)+)", section(how_to, "## The pages"), re.MULTILINE)

    def entries(page: Path, links: list[tuple[str, str]]) -> list[object]:
        return [{_title(text): address((page.parent / target).resolve())} for text, target in links]

    def of(name: str) -> list[object]:
        return entries(ROOT / "README.md", listed[name])

    gateways = re.findall(
        r"^\| \[(.+?)\]\((docs/providers/.+?)\)", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE
    )
    return [
        {"Start": ["index.md", {"Tutorial": "tutorial.md"}]},
        {"How to": ["how-to/index.md", *(
            {name: entries(how_to, re.findall(r"\[(.+?)\]\((.+?)\)", links))} for name, links in groups
        )]},
        {"Gateways": [{"What each carries": "providers/matrix.md"}, *entries(ROOT / "README.md", gateways)]},
        {"Reference": of("Reference")},
        {"Explanation": of("Explanation")},
        {"Project": of("Project")},
    ]  # fmt: skip


def _title(text: str) -> str:
    return text[:1].upper() + text[1:].replace("`", "")


def _addresses(tree: object) -> Iterator[str]:
    if isinstance(tree, str):
        yield tree
    elif isinstance(tree, dict):
        for below in tree.values():
            yield from _addresses(below)
    elif isinstance(tree, list):
        for below in tree:
            yield from _addresses(below)


def left_out() -> list[str]:
    """The pages that no entry of the navigation leads to."""
    reached = set(_addresses(navigation()))
    return [name_of(page) for page in PAGES if address(page) not in reached and page.name != "AGENTS.md"]


def _as_toml(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {_as_toml(below)}" for key, below in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_as_toml, value)) + "]"
    return json.dumps(value)


def stage(folder: Path, draw: Callable[[str, str], str]) -> None:
    """Write zensical.toml and the pages of the site; `draw` makes an SVG of a diagram's text and a theme."""
    shutil.rmtree(folder, ignore_errors=True)
    pages = folder / "pages"
    linked = {path for page in PAGES for path in linked_from(page)}
    for page in PAGES:
        _write(pages / address(page), staged(page, pages, draw))
    for path in sorted(linked - {*PAGES}):
        if path.suffix in _PICTURES:
            target = pages / address(path)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
        else:
            _write(pages / address(path), source(path))
    _write(pages / "site.css", STYLE)
    _write(folder / "zensical.toml", CONFIGURATION.format(nav=_as_toml(navigation())))


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, "utf-8")


def staged(page: Path, pages: Path, draw: Callable[[str, str], str]) -> str:
    """A page's text for the site: links lead to where things stand there, and diagrams are pictures."""
    home = Path(address(page)).parent
    drawn: list[str] = []

    def moved(link: re.Match[str]) -> str:
        to = address(Path(os.path.normpath(page.parent / link[1])))
        return f"]({os.path.relpath(to, home)}{link[2] or ''})"

    def pictured(code: str) -> str:
        name = f"diagram-{len(drawn) + 1}-{Path(address(page)).stem}"
        drawn.append(name)
        for theme, only in (("default", "light"), ("dark", "dark")):
            _write(pages / home / f"{name}-{only}.svg", draw(code, theme))
        return "".join(f"![A diagram]({name}-{only}.svg#only-{only})\n" for only in ("light", "dark"))

    parts: list[str] = []
    text, at = page.read_text("utf-8"), 0
    for fence in _FENCE.finditer(text):
        parts += [_lists_apart(_LINK.sub(moved, text[at : fence.start()]))]
        parts += [pictured(fence[3]) if fence[2] == "mermaid" else fence[0]]
        at = fence.end()
    return "".join([*parts, _lists_apart(_LINK.sub(moved, text[at:]))])


def _lists_apart(text: str) -> str:
    """A blank line before each list that follows a paragraph: Markdown in Python wants one, GitHub's does not."""
    lines = list[str]()
    for line in text.split("\n"):
        before = lines[-1] if lines else ""
        if _ITEM.match(line) and before and not before.startswith(" ") and not _ITEM.match(before):
            lines.append("")
        lines.append(line)
    return "\n".join(lines)


def source(path: Path) -> str:
    """A page that shows a file, or names the files of a folder; the search leaves it out."""
    head = f"---\nsearch:\n  exclude: true\nhide: [navigation, toc]\n---\n# {path.relative_to(ROOT)}\n\n"
    if path.is_dir():
        names = sorted(file.name for file in path.iterdir() if not file.name.startswith((".", "_")))
        return head + "".join(f"- `{name}`\n" for name in names)
    text = path.read_text("utf-8")
    fence = "`" * (3 + max(map(len, re.findall(r"`{3,}", text)), default=0))
    return f"{head}{fence}{_LANGUAGES.get(path.suffix, path.suffix.lstrip('.'))}\n{text}\n{fence}\n"


_FOREIGN: Final = re.compile(
    r"""<(?:script|img|iframe|source|video|audio)\b[^>]*\bsrc=["']?(?:https?:)?//[^>]*>"""
    r"""|<link\b(?![^>]*rel=["']?canonical)[^>]*\bhref=["']?(?:https?:)?//[^>]*>""",
    re.IGNORECASE,
)
_FOREIGN_STYLE: Final = re.compile(r"""(?:@import|url\()\s*["']?(?:https?:)?//[^)"';]*""")
_REFERENCE: Final = re.compile(r"""<(?:a|img|link|script)\b[^>]*?\b(?:href|src)=(?:"([^"]*)"|'([^']*)'|([^\s>]+))""")


def flaws(html: Path) -> list[str]:
    """What is wrong in a built site: an answer from another host, or a link to what is not there."""
    found = []
    for file in sorted(html.rglob("*.css")):
        found += [f"{file.relative_to(html)}: {foreign}" for foreign in _FOREIGN_STYLE.findall(file.read_text("utf-8"))]
    for file in sorted(html.rglob("*.html")):
        text = file.read_text("utf-8")
        found += [f"{file.relative_to(html)}: {foreign}" for foreign in _FOREIGN.findall(text)]
        for given in _REFERENCE.findall(text):
            link = "".join(given)
            if not re.match(r"[a-z]+:|//|#|\{", link) and file.name != "404.html":
                found += [f"{file.relative_to(html)}: {link} is not there"] * (not _is_there(file, link))
    return found


def _is_there(page: Path, link: str) -> bool:
    target, _, anchor = link.partition("#")
    file = Path(os.path.normpath(page.parent / target.partition("?")[0].replace("%27", "'"))) if target else page
    if file.is_dir():
        file /= "index.html"
    if not file.is_file():
        return False
    return file.suffix != ".html" or not anchor or anchor in _anchors(file)


@cache
def _anchors(file: Path) -> frozenset[str]:
    return frozenset(re.findall(r"""\bid=["']?([^"'\s>]+)""", file.read_text("utf-8")))


def main(step: str, folder: Path) -> int:
    """Stage the pages, or judge what was built of them: the number of flaws is printed, and makes the exit code 1."""
    if step == "stage":
        from mermaid_render import mermaid_to_svg  # noqa: PLC0415 - only the environment of `make docs` has it

        stage(folder, lambda code, theme: bytes(mermaid_to_svg(code, theme=theme)).decode())
        found = [f"{name} has no place in the navigation: link it in README.md" for name in left_out()]
    else:
        found = flaws(folder / "html")
    sys.stdout.write("".join(f"{flaw}\n" for flaw in found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
