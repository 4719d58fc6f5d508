"""Makes docs/explanation/compare.md: `python -m tests.acceptance.compare.count`."""

from __future__ import annotations

import ast
import io
import tokenize
from pathlib import Path
from typing import Final

from tests.acceptance.compare.conversations import BOTS
from tests.acceptance.compare.facts import BETTER, CELLS, COLUMNS, FACTS, FRAMEWORKS, LOOKED_AT, VERSIONS
from tests.docs.pages import DOCS

HERE: Final = Path(__file__).parent
PAGE: Final = DOCS / "explanation" / "compare.md"
_SILENT: Final = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
    tokenize.ENCODING,
}
_NAMES: Final = {"threadbridge": "threadbridge", "aiogram": "aiogram", "bolt": "Bolt"}

_INTRO: Final = """<!-- Made by `python -m tests.acceptance.compare.count`: change tests/acceptance/compare, then run that. -->

# The same twelve bots, three times

This page compares twelve small, typical bots in three frameworks:

- [threadbridge](../../tests/acceptance/compare/threadbridge),
- [aiogram](../../tests/acceptance/compare/aiogram) (Telegram),
- [Bolt for Python](../../tests/acceptance/compare/bolt) (Slack).

They hold [the same conversations](../../tests/acceptance/compare/conversations.py), word for word, with two exceptions.
The survey in Slack is a form instead of three questions, as a Slack author would write it.
In the helpdesk, the person gives the conversation back here, by a command; in the other two the contact writes "bot".
Each bot is written as its framework's documentation shows it, with every default left alone.

The three are not equals.
aiogram and Bolt each speak to one platform and know all of it.
threadbridge speaks to five gateways and knows their common ground.
aiogram {aiogram} and Bolt {slack_bolt} (with slack_sdk {slack_sdk}) were read and run for this page.
They were the newest releases on {date}, when the tests below last passed with all three.
This project's tests execute our bots and compile the others.
They execute the others where the packages are installed, which are no dependencies of ours.

## Lines of code

A line counts when it holds code: no blank lines, no comments, no docstrings, no imports.
One formatter formats all files, at 120 columns.

"""  # noqa: E501 - a sentence is a line in Markdown

_SAFE: Final = """
## Safe by default

In each cell first threadbridge, then aiogram, then Bolt: ● yes, ◐ partly, ○ no, - nothing to lose, ? not found out.
The sections below give the meaning of each column, and its evidence.

"""


def code_lines(text: str) -> int:
    """Lines of Python that hold code; see the page for what does not count."""
    tree = ast.parse(text)
    dropped: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom) or (isinstance(node, ast.Expr) and _is_text(node.value)):
            dropped |= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    held: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in _SILENT:
            held |= set(range(token.start[0], token.end[0] + 1))
    return len(held - dropped)


def _is_text(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and isinstance(value.value, str)


def lines_of(framework: str, bot: str) -> int:
    """The length of one bot."""
    return code_lines((HERE / framework / f"{bot}.py").read_text("utf-8"))


def table(head: list[str], rows: list[list[str]]) -> str:
    """A table in Markdown."""
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, ["---"] * len(head), *rows)) + "\n"


def lengths() -> str:
    """The table of lines, and who is shorter where."""
    counted = {bot: [lines_of(framework, bot) for framework in FRAMEWORKS] for bot in BOTS}
    rows = [[_linked(bot), *map(str, numbers)] for bot, numbers in counted.items()]
    totals = [sum(column) for column in zip(*counted.values(), strict=True)]
    rows.append(["all twelve", *map(str, totals)])
    toml = (HERE / "threadbridge" / "threadbridge.toml").read_text("utf-8").splitlines()
    start = [sum(bool(line.strip()) and not line.startswith("#") for line in toml)]
    start += [lines_of(framework, "start") for framework in FRAMEWORKS[1:]]
    rows.append(["to start one of them", *map(str, start)])
    lines = [table(["bot", *_NAMES.values()], rows)]
    lines.append("A configuration starts threadbridge, a script the others.")
    lines.append(
        "aiogram's helpdesk holds the lines that carry messages to the staff and back, "
        "because bot and staff share no inbox on Telegram."
    )
    lines.append("Ours is also silent by itself where a gateway reports that a person wrote.")
    for at, framework in enumerate(FRAMEWORKS[1:], 1):
        shorter = [bot for bot, numbers in counted.items() if numbers[at] < numbers[0]]
        same = [bot for bot, numbers in counted.items() if numbers[at] == numbers[0]]
        lines.append(
            f"{_NAMES[framework]} is shorter than threadbridge in {_listed(shorter)}, and as long in {_listed(same)}."
        )
    lines.append(
        "aiogram can also fetch its updates by long polling, in fewer lines, "
        "and has scenes for dialogs like the survey."
    )
    return "\n".join(lines) + "\n"


def _linked(bot: str) -> str:
    return f"[{bot}](../../tests/acceptance/compare/threadbridge/{bot}.py)"


def _listed(names: list[str]) -> str:
    return ", ".join(names) if names else "none"


def safety() -> str:
    """The table of what is safe, and the facts behind each column."""
    lines = [table(["bot", *COLUMNS], [[bot, *CELLS[bot].split()] for bot in BOTS])]
    for column, (happens, facts) in FACTS.items():
        lines.append(f"### {column.capitalize() if column.islower() else column}\n\n{happens}\n")
        for fact in facts:
            shown = []
            if fact.line:
                shown.append(f"`{fact.line}`")
            if fact.test:
                path, _, name = fact.test.partition("::")
                shown.append(f"[`{name}`](../../{path})")
            sentences = fact.says.split("\n")
            where = f"  Seen in {' and '.join(shown)}.\n" if shown else ""
            lines.append(f"- **{_NAMES[fact.framework]}**: " + "\n  ".join(sentences) + f"\n{where}".rstrip())
        lines[-1] += "\n"
    return "\n".join(lines)


def page() -> str:
    """docs/explanation/compare.md."""
    better = "\n".join(f"- **{word}**: " + why.replace("\n", "\n  ") for word, why in BETTER)
    return (
        _INTRO.format(date=LOOKED_AT, **VERSIONS)
        + lengths()
        + _SAFE
        + safety()
        + f"\n## Where the others are ahead\n\n{better}\n"
    )


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
