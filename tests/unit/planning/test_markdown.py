"""Markdown in the dialects of channels."""

from __future__ import annotations

import re
import subprocess
import sys
from html import unescape
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.messages import Text, decode_message, encode_message
from bridge.planning.capabilities import Capabilities
from bridge.planning.dialects import BARE, PLAIN, TELEGRAM_HTML, WHATSAPP, Dialect
from bridge.planning.markdown import escape_markdown
from bridge.planning.marked import marked_up
from bridge.planning.plan import plan
from bridge.providers.registry import provider_type
from tests.support.channel_profiles import NOW

if TYPE_CHECKING:
    from collections.abc import Sequence

pytestmark = pytest.mark.slow

_BACK: Final = {shown: mark for mark, shown in WHATSAPP.lookalikes.items()}
_TAG: Final = re.compile(r"<(/?)(\w+)>")


def written(text: str, dialect: Dialect, limit: int | None = None) -> list[str]:
    return marked_up(text, dialect, limit, len).pieces()


def whole(text: str, dialect: Dialect) -> str:
    return "\n".join(written(text, dialect))


@pytest.mark.parametrize(
    ("text", "whatsapp", "plain", "telegram"),
    [
        ("**bold** and __bold__", "*bold* and *bold*", "bold and bold", "<b>bold</b> and <b>bold</b>"),
        ("*italic* or _italic_", "_italic_ or _italic_", "italic or italic", "<i>italic</i> or <i>italic</i>"),
        ("~~gone~~", "~gone~", "gone", "<s>gone</s>"),
        ("`a * b`", "`a * b`", "a * b", "<code>a * b</code>"),
        ("**a *b* c**", "*a _b_ c*", "a b c", "<b>a <i>b</i> c</b>"),
        ("# Title\ntext", "*Title*\ntext", "Title\ntext", "<b>Title</b>\ntext"),
        ("[shop](https://x/a)", "shop (https://x/a)", "shop (https://x/a)", "shop (https://x/a)"),
        ("<https://x/a>", "https://x/a", "https://x/a", "https://x/a"),
        ("![cat](https://x/c.png)", "cat (https://x/c.png)", "cat (https://x/c.png)", "cat (https://x/c.png)"),
        ("- a\n- b", "- a\n- b", "• a\n• b", "• a\n• b"),
        ("3. a\n4. b", "3. a\n4. b", "3. a\n4. b", "3. a\n4. b"),
        ("- a\n  - b", "- a\n  - b", "• a\n  • b", "• a\n  • b"),
        ("> a\n> b", "> a\n> b", "│ a\n│ b", "<blockquote>a\nb</blockquote>"),
        ("```sh\nls\n  x\n```", "```\nls\n  x\n```", "ls\n  x", "<pre>ls\n  x</pre>"),
        ("a\n\nb\nc", "a\n\nb\nc", "a\n\nb\nc", "a\n\nb\nc"),
        ("**two\nlines**", "*two*\n*lines*", "two\nlines", "<b>two\nlines</b>"),
        ("un**bold**ed", "unbolded", "unbolded", "un<b>bold</b>ed"),
        ("a < b & c", "a < b & c", "a < b & c", "a &lt; b &amp; c"),
        ("a\n\n---\n\nb", "a\n\n———\n\nb", "a\n\n———\n\nb", "a\n\n———\n\nb"),
    ],
)
def test_each_dialect_has_its_own_marks(text: str, whatsapp: str, plain: str, telegram: str) -> None:
    assert [whole(text, dialect) for dialect in (WHATSAPP, PLAIN, TELEGRAM_HTML)] == [whatsapp, plain, telegram]


@pytest.mark.parametrize(
    ("text", "whatsapp"),
    [
        ("snake_case_name, 5 * 3 * 2", "snake_case_name, 5 * 3 * 2"),
        ("_ a line to **fill in**", "_ a line to *fill in*"),
        (r"\*not bold\*", "∗not bold∗"),
        (r"\_not italic\_ \~nor struck\~", "＿not italic＿ ∼nor struck∼"),
        (r"**a\*b\* c_d**", "*a∗b∗ c_d*"),
        (r"\> no quote", "› no quote"),
        ("<https://x/_a_/~b~>", "https://x/_a_/~b~"),
        ("```\na ``` b `c`\n```", "```\na ‵‵‵ b `c`\n```"),
    ],
)
def test_a_character_that_whatsapp_would_take_for_a_mark_has_a_look_alike(text: str, whatsapp: str) -> None:
    assert whole(text, WHATSAPP) == whatsapp


@given(st.text("ab *_~`[]()#>-.\\!1\n<&", max_size=30))
def test_what_a_person_wrote_opens_no_mark(words: str) -> None:
    text = f"Hello **{escape_markdown(words) or 'you'}**, welcome"
    plain = re.sub(r"\n\s*\n", "\n", words.strip()) or "you"
    assert whole(text, PLAIN).split() == f"Hello {plain}, welcome".split()
    assert _read_by_whatsapp(whole(text, WHATSAPP)).split() == f"Hello {plain}, welcome".split()


inline = st.recursive(
    st.sampled_from(["one", "two words", "3", "é", "e\u0301", "👨‍👩‍👧‍👦", "a_b", "x * y", "한국어", "end."]),
    lambda inner: st.builds(
        lambda mark, words: mark + " ".join(words) + mark,
        st.sampled_from(["**", "*", "~~", "__", "_"]),
        st.lists(inner, min_size=1, max_size=3),
    ),
    max_leaves=6,
)
lines = st.lists(inline | st.just("`code`"), min_size=1, max_size=6).map(" ".join)
blocks = st.one_of(
    lines,
    lines.map("# ".__add__),
    st.lists(lines, min_size=1, max_size=3).map(lambda items: "\n".join(f"- {item}" for item in items)),
    st.lists(lines, min_size=1, max_size=3).map(lambda items: "\n".join(f"> {item}" for item in items)),
    lines.map(lambda line: f"```\n{line}\n    {line}\n```"),
)
documents = st.lists(blocks, min_size=1, max_size=4).map("\n\n".join)
prose = st.lists(
    st.sampled_from(["one", "two"]) | st.builds("{0}word{0}".format, st.sampled_from(["**", "*", "~~", "`", "__"])),
    min_size=1,
    max_size=12,
).map(" ".join)
anything = st.text("ab *_~`[]()#>-.\\!1\n&<é\u0301 ", max_size=80)


@given(prose | prose.map("# ".__add__) | prose.map("> ".__add__))
def test_plain_text_has_no_mark_left(text: str) -> None:
    words = re.sub(r"[*~`_#>]", "", text).split()
    assert [word for word in whole(text, PLAIN).split() if word != "│"] == words


@given(documents | anything, st.sampled_from([PLAIN, WHATSAPP, TELEGRAM_HTML]), st.integers(1, 120))
def test_the_parts_have_all_words_in_order_within_the_limit(text: str, dialect: Dialect, limit: int) -> None:
    marked = marked_up(text, dialect, limit, len)
    pieces = marked.pieces()
    assert all(len(piece) <= limit and piece.strip() for piece in pieces)
    shown = "".join(map(_letters, pieces))
    assert shown == _letters(whole(text, BARE))


@given(documents | anything)
def test_whatsapp_shows_the_words_and_no_mark(text: str) -> None:
    assert _solid(_read_by_whatsapp(whole(text, WHATSAPP))) == _solid(whole(text, BARE))


@given(documents | anything, st.integers(8, 120))
def test_in_every_part_whatsapp_reads_the_marks_as_meant(text: str, limit: int) -> None:
    for piece in written(text, WHATSAPP, limit):
        read = _read_by_whatsapp(piece)
        assert not re.search(r"[∗＿∼‵›]", read)
        assert _letters(read) == _letters(piece)


@given(documents | anything, st.integers(60, 200))
def test_every_part_has_its_tags_in_pairs(text: str, limit: int) -> None:
    for piece in written(text, TELEGRAM_HTML, limit):
        stack: list[str] = []
        for closes, name in _TAG.findall(piece):
            if closes:
                assert stack.pop() == name
            else:
                stack.append(name)
        assert not stack


def test_a_mark_that_a_split_cuts_is_closed_and_opened_again() -> None:
    assert written("**first words here and second words there**", WHATSAPP, 24) == [
        "*first words here and*",
        "*second words there*",
    ]
    assert written("> one two three\n> four", WHATSAPP, 10) == ["> one two", "> three", "> four"]
    assert written("```\n" + "first line\n    line 2\n" * 2 + "```", WHATSAPP, 32) == [
        "```\nfirst line\n    line 2\n```",
        "```\nfirst line\n    line 2\n```",
    ]
    assert written("```\none two three four five six\n```", WHATSAPP, 32) == [
        "```\none two three four five\n```",
        "```\nsix\n```",
    ]


def test_a_message_too_short_for_marks_and_escapes_has_words_alone() -> None:
    assert written("**a** & b", TELEGRAM_HTML, 48) == ["<b>a</b> &amp; b"]
    assert written("**a** & b", TELEGRAM_HTML, 47) == ["a & b"]


HOSTILE: Final[Sequence[str]] = (
    "*",
    "_",
    "**a ",
    "*a _b ~~c ",
    "[",
    "![",
    "[a](",
    "]",
    "`",
    "a`",
    "> ",
    "- ",
    "<a@",
    "&",
    "\\",
    "~~a ~",
    "**a** ",
    "https://",
    "\u0301",
)


@pytest.mark.parametrize("unit", HOSTILE)
def test_hostile_text_costs_in_proportion_to_its_length(unit: str) -> None:
    def calls(length: int) -> int:
        count = 0

        def counted(*_: object) -> None:
            nonlocal count
            count += 1

        text = unit * (length // len(unit))
        sys.setprofile(counted)
        try:
            pieces = written(text, WHATSAPP, 200)
        finally:
            sys.setprofile(None)
        assert all(len(piece) <= 200 for piece in pieces)
        return count

    written("warm", WHATSAPP)
    assert calls(10_000 if unit == "*" else 2_000) <= 2.5 * calls(5_000 if unit == "*" else 1_000) + 1_000


def test_whatsapp_gets_its_marks_and_other_channels_plain_text() -> None:
    text = Text("**Ready**: order 7", format="markdown")
    for provider in ("aelyst", "ginalne", "konnek", "whautochat", "relationlabs", "playground"):
        for channel, carries in provider_type(provider).relays.items():
            made = plan(text, carries, now=NOW, last_heard=NOW)
            if channel == "whatsapp":
                assert made.parts == (Text("*Ready*: order 7"),)
                assert made.given_up == ()
            else:
                assert made.parts == (Text("Ready: order 7"),)
                assert made.given_up == ("markdown: bold: shown without marks",)


def test_the_plan_tells_look_alikes_and_splits_and_drops_what_is_blank() -> None:
    carries = Capabilities(kinds=frozenset({"text"}), text=16, dialect=WHATSAPP)
    made = plan(Text(r"\*one\* **two three**", format="markdown"), carries, now=NOW, last_heard=None)
    assert made.parts == (Text("∗one∗ *two*"), Text("*three*"))
    assert made.given_up == (
        "markdown: 2 characters would be marks here, and look-alikes stand for them",
        "text: split into 2 messages",
    )
    blank = plan(Text("[](<>)", format="markdown"), carries, now=NOW, last_heard=None)
    assert blank.dropped == "text: its text is blank"


def test_a_part_is_its_own_plan() -> None:
    carries = Capabilities(kinds=frozenset({"text"}), text=4_096, dialect=WHATSAPP)
    (part,) = plan(Text("**a** *b*", format="markdown"), carries, now=NOW, last_heard=None).parts
    assert plan(part, carries, now=NOW, last_heard=None).parts == (part,)


def test_the_format_is_kept_in_json_and_another_is_refused() -> None:
    text = Text("**a**", format="markdown")
    assert decode_message(encode_message(text)) == text
    other: Any = "html"
    with pytest.raises(ValueError, match="format"):
        Text("a", format=other)


def test_a_bot_without_markdown_loads_no_parser() -> None:
    script = (
        "import sys; from bridge import Text, escape_markdown; from bridge.planning.plan import plan\n"
        "from bridge.planning.capabilities import Capabilities\n"
        "plan(Text('a' * 50), Capabilities(kinds=frozenset({'text'}), text=20), now=0, last_heard=0)\n"
        "escape_markdown('*')\n"
        "print('markdown_it' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"


def _letters(text: str) -> str:
    """The letters and digits of a text: no marks, no white space."""
    return "".join(letter for letter in unescape(_TAG.sub("", text)) if letter.isalnum())


def _solid(text: str) -> str:
    """Without white space, and the beginnings of lists."""
    return re.sub(r"[\s•-]", "", text)


def _read_by_whatsapp(text: str) -> str:
    """What a phone shows: blocks, quotes and pairs of marks at the edges of words taken away, look-alikes as meant."""
    shown = []
    for index, part in enumerate(re.split(r"```\n?(.*?)\n?```", text, flags=re.DOTALL)):
        if index % 2:
            shown.append(part)
            continue
        for line in part.split("\n"):
            inner = re.sub(r"^> ", "", line)
            for mark in ("`", "*", "_", "~", "*", "_", "~"):
                pair = rf"(?<![^\W_]){re.escape(mark)}(?=[^\s{mark}])([^{mark}]*?)(?<=[^\s]){re.escape(mark)}(?![^\W_])"
                inner = re.sub(pair, r"\1", inner)
            shown.append(inner)
    return "".join(_BACK.get(letter, letter) for letter in "\n".join(shown))
