"""What a type checker says of a bot author's functions: nothing of good ones, and something of each mistake."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from mypy import api

ROOT: Final = Path(__file__).resolve().parents[1]

GOOD: Final = """
from collections.abc import AsyncIterator, Iterator
from typing import Annotated

from bridge import CallNext, Depends, Key, Match, Message, Postback, Router, Status, Text, Turn

router = Router()

class Track(Key):
    no: int

class Refund(Key, name="r", expires="15min"):
    no: int
    why: str = ""

class Orders:
    pass

async def get_orders(turn: Turn) -> AsyncIterator[Orders]:
    yield Orders()

def get_number(orders: Orders = Depends(get_orders)) -> int:
    return 1

def get_text() -> Iterator[str]:
    yield "a"

@router.message(regex=r"(?P<no>\\d+)")
async def order(turn: Turn[Message], no: int, orders: Orders = Depends(get_orders)) -> Text:
    return Text(turn.event.text)

@router.message(text="hi")
@router.postback("hi")
@router.default()
def hello(turn: Turn, number: int = Depends(get_number), text: str = Depends(get_text)) -> list[str] | None:
    return [turn.contact.name]

@router.message(text="track")
@router.postback(Track)
async def track(turn: Turn, click: Track = Track(no=1)) -> Turn:
    return turn.reply(str(click.no))

@router.postback(Track)
@router.postback(Refund)
async def either(turn: Turn[Postback], click: Track | Refund, orders: Annotated[Orders, Depends(get_orders)]) -> str:
    return f"{click.no} {turn.event.key}"

@router.stale()
async def stale(turn: Turn[Postback], reason: str) -> str:
    return reason

@router.status("read")
async def read(turn: Turn[Status]) -> None:
    pass

@router.error(LookupError)
async def failed(turn: Turn, error: LookupError, orders: Orders = Depends(get_orders)) -> str:
    return str(error)

@router.error(KeyError, ValueError)
async def failed_too(turn: Turn, error: KeyError | ValueError) -> str:
    return str(error)

@router.middleware
async def inner(turn: Turn, call_next: CallNext, match: Match, orders: Orders = Depends(get_orders)) -> str | None:
    await call_next()
    return None

@router.outer_middleware
async def outer(turn: Turn, call_next: CallNext) -> None:
    await call_next()

with router.override(get_orders, Orders):
    pass
"""

BAD: Final = """
from bridge import CallNext, Depends, Key, Message, Postback, Router, Status, Turn

router = Router()

class Track(Key):
    no: int

class Refund(Key):
    no: int

class Orders:
    pass

async def get_orders() -> Orders:
    return Orders()

Track(no="7")                                   # E: arg-type
Track(7)                                        # E: call-arg|misc

@router.message()                               # E: type-var
async def a(turn: Turn[Postback]) -> None: ...

@router.status()                                # E: type-var
async def b(turn: Turn[Message]) -> None: ...

@router.message()                               # E: type-var
async def c(turn: Turn) -> dict[str, str]:
    return {}

@router.message()                               # E: type-var
async def d(no: int) -> None: ...

@router.default()                               # E: type-var
async def e(turn: Turn[Message]) -> None: ...

@router.postback(Track)                         # E: arg-type
async def f(turn: Turn, click: Refund) -> None: ...

@router.postback(Track)                         # E: arg-type
async def g(turn: Turn) -> None: ...

@router.message()
async def h(turn: Turn, orders: str = Depends(get_orders)) -> None: ...  # E: assignment

@router.error(LookupError)                      # E: arg-type
async def i(turn: Turn, error: ValueError) -> None: ...

@router.middleware                              # E: type-var
async def j(turn: Turn) -> None: ...

@router.middleware                              # E: type-var
def k(turn: Turn, call_next: CallNext) -> None: ...
"""


def test_good_handlers_are_silent_and_each_wrong_annotation_is_an_error(tmp_path: Path) -> None:
    """One run of mypy, for it takes seconds."""
    good, bad = tmp_path / "good.py", tmp_path / "bad.py"
    good.write_text(GOOD, "utf-8")
    bad.write_text(BAD, "utf-8")
    options = ["--config-file", str(ROOT / "pyproject.toml"), "--cache-dir", str(ROOT / ".mypy_cache"), "--strict"]
    told, trouble, _ = api.run([*options, "--follow-imports", "silent", str(good), str(bad)])
    assert trouble == ""
    found = {(Path(file).name, int(line), code) for file, line, code in _ERROR.findall(told)}
    wanted = {("bad.py", number, line.partition("# E: ")[2]) for number, line in _lines(BAD) if "# E: " in line}
    missed = [each for each in wanted if not any(_is(each, error) for error in found)]
    surplus = [error for error in found if not any(_is(each, error) for each in wanted)]
    assert (missed, surplus) == ([], []), told


_ERROR: Final = re.compile(r"^(.+?):(\d+): error: .*\[([a-z-]+)\]$", re.MULTILINE)


def _lines(text: str) -> list[tuple[int, str]]:
    return list(enumerate(text.splitlines(), 1))


def _is(wanted: tuple[str, int, str], error: tuple[str, int, str]) -> bool:
    return wanted[:2] == error[:2] and error[2] in wanted[2].split("|")
