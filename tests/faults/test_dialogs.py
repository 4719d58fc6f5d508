"""A dialog as a real process, killed with SIGKILL at every step of it; then its script is changed under the waiting."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from tests.faults.checker import check
from tests.faults.harness import Gateways, Home, until
from tests.faults.traffic import traffic
from tests.support.warm_python import python

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from tests.faults.traffic import Traffic

WORDS: Final = ("many", "5", "yes", "broken")
"""What a contact answers, after "order N": the first is no answer."""

IN_THE_BOT: Final = (
    *("before the first say", "before the first question", "in parse", "after the first answer"),
    *("before the step", "before the request", "after the answer", "after the step", "before the end"),
)
AT_THE_PAYMENTS: Final = ("asked", "done")
"""The step is in its middle: it asked for the refund; and it was given, and has not heard of it."""
IN_THE_STEP: Final = ("after the answer", *AT_THE_PAYMENTS)
"""Where nobody can know whether it happened, so that it is asked for once more, under the same key."""


def said_to(no: int) -> list[str]:
    """What the contact of an order sees, in order."""
    return [
        f"About order {no}.",
        *("How many stars?", "A number, please.", "Refund it?", "And why?"),
        f"Done: ref-{no}, 5 stars, because broken.",
    ]


SEEN_AFTER: Final = (2, 3, 4, 5, 6)
"""How many of these the contact has seen after each of its words."""


@dataclass
class Payments:
    """A little server that refunds: an order once by its key, whoever asks however often."""

    refunds: Counter[str] = field(default_factory=Counter)
    asked: list[tuple[str, int]] = field(default_factory=list)
    on: dict[str, Callable[[], None]] = field(default_factory=dict)
    """What is to happen, once, when it was "asked", or when it is "done"."""

    async def refund(self, request: web.Request) -> web.Response:
        key, no = request.headers["Idempotency-Key"], (await request.json())["no"]
        self.asked.append((key, no))
        self.on.pop("asked", _nothing)()
        if key not in self.refunds:
            self.refunds[key] += 1
        self.on.pop("done", _nothing)()
        return web.json_response({"ref": f"ref-{no}"})

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        app = web.Application()
        app.router.add_post("/", self.refund)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
        finally:
            await runner.cleanup()


def _nothing() -> None: ...


@dataclass
class Scene:
    """The bridge, the gateways, the payments and the contacts of one run."""

    home: Home
    gateways: Gateways
    payments: Payments
    talk: Traffic

    def seen(self, who: str) -> list[str]:
        return [each.text.partition("\n")[0] for each in self.gateways.konnek.seen if each.conversation_id == who]

    async def up(self) -> None:
        """A bridge that is ready, whatever became of the last one."""
        if not self.home.processes or self.home.processes[-1].poll() is not None:
            await self.home.ready(self.home.start())

    async def says(self, who: str, word: str) -> None:
        """A word, as often as it takes until it is answered 200; a bridge that died meanwhile is started again."""
        await self.up()
        said = self.talk.compose("shop", who, word)
        while await self.talk.post(said) != 200:
            await asyncio.sleep(0.02)
            await self.up()

    async def sees(self, who: str, number: int) -> None:
        """Wait until a contact has seen so many messages; a bridge that dies meanwhile is started again."""

        def has() -> bool:
            return len(self.seen(who)) >= number

        def either() -> bool:
            return has() or self.home.processes[-1].poll() is not None

        while not has():
            await until(f"{number} messages for {who}, who has {self.seen(who)}", either)
            await self.up()

    async def talks(self, who: str, no: int, *, words: int = 5, kill: bool = False) -> None:
        """The first words of the conversation.

        `kill`: the bridge dies as soon as the gateway has the answer to a word, which it does not know yet.
        """
        for word, number in zip((f"order {no}", *WORDS)[:words], SEEN_AFTER, strict=False):
            await self.says(who, word)
            await self.sees(who, number)
            if kill:
                self.home.kill()

    async def dies_at(self, moment: str) -> Callable[[], bool]:
        """Let the bridge die at a moment; returns what tells whether it did."""
        if moment in AT_THE_PAYMENTS:
            self.payments.on[moment] = self.home.processes[-1].kill
            return lambda: moment not in self.payments.on
        (self.home.folder / "moments" / moment).touch()
        return lambda: not (self.home.folder / "moments" / moment).exists()

    def thread(self, who: str) -> tuple[Any, object, object]:
        """What a conversation remembers, its dialog, and the note to a person."""
        query = "SELECT CAST(state AS TEXT), dialog, note FROM threads WHERE conversation = ? AND account = 'shop'"
        ((state, dialog, note),) = self.home.rows(query, who)
        return json.loads(str(state)), dialog, note


@asynccontextmanager
async def scene(folder: Path) -> AsyncIterator[Scene]:
    await asyncio.to_thread((folder / "moments").mkdir, parents=True)
    payments = Payments()
    async with Gateways(delay_ms=20).listening() as gateways, payments.listening() as url:
        home = Home(folder, shop=gateways.shop.url, relay=gateways.relay.url, handlers="dialog_bot")
        home.environment |= {"BOT_PAYMENTS": url, "PYTHONDONTWRITEBYTECODE": "1"}
        shutil.copy(Path(__file__).with_name("dialog_bot.py"), folder)
        async with traffic(home, gateways) as talk:
            try:
                yield Scene(home, gateways, payments, talk)
            finally:
                home.kill()


async def killed(folder: Path, moments: Sequence[str], *, anyway: bool = False) -> tuple[int, int]:
    """A dialog for each of these moments, at which it dies, and `anyway` one that dies after each of its messages.

    Returns the numbers of kills and of requests to the payments.
    """
    async with scene(folder) as world:
        for no, moment in enumerate(moments, 1):
            await world.up()
            starts = len(world.home.processes)
            has_died = await world.dies_at(moment)
            await world.talks(f"c{no}", no)
            assert has_died(), f"it did not die {moment}"
            assert len(world.home.processes) == starts + 1, moment
            assert world.seen(f"c{no}") == said_to(no), moment
            keys = [key for key, asked in world.payments.asked if asked == no]
            assert keys == [f"refund-{no}"] * (2 if moment in IN_THE_STEP else 1), moment
        last = len(moments) + anyway
        if anyway:
            await world.talks(f"c{last}", last, kill=True)
            await world.up()
        await world.home.settled()
        for no in range(1, last + 1):
            assert world.seen(f"c{no}") == said_to(no)
            assert world.thread(f"c{no}") == ({"orders": 1, "stars": 5}, None, None)
            assert world.payments.refunds[f"refund-{no}"] == 1
        check(world.home, world.talk, world.gateways)
        assert world.home.rows("SELECT 1 FROM steps") == []
        return len(world.home.processes) - 1, len(world.payments.asked)


async def test_a_dialog_survives_a_kill_at_every_step(tmp_path: Path, report: Callable[[str], None]) -> None:
    moments = (*IN_THE_BOT, *AT_THE_PAYMENTS)
    runs = killed(tmp_path / "one", moments[:8]), killed(tmp_path / "two", moments[8:], anyway=True)
    kills, asked = map(sum, zip(*await asyncio.gather(*runs), strict=True))
    dialogs = len(moments) + 1
    assert kills == len(moments) + len(SEEN_AFTER)
    report(f"{kills} kills in {dialogs} dialogs: the same end; {asked} requests for {dialogs} refunds, each given once")


_FUNCTION: Final = "async def refund("
_SECOND: Final = """

@router.dialog(version=2, name="refund")
async def refund(d: Dialog, no: int) -> str:
    return f"Order {no}: {await d.ask('Why do you want it back?')}"
"""


async def rehearsed(world: Scene) -> tuple[int, list[dict[str, Any]]]:
    """What `threadbridge dialogs check` says, as a process without any secret: its exit code, and its list."""
    command = [python(), "-m", "bridge", "dialogs", "check", "--json", "-c", "threadbridge.toml"]
    done = await asyncio.to_thread(
        subprocess.run,
        command,
        cwd=world.home.folder,
        env={**world.home.inherited(), **world.home.environment},
        capture_output=True,
        check=False,
        timeout=30,
    )
    return done.returncode, json.loads(done.stdout)


async def test_a_changed_script_is_named_and_dealt_with_as_declared_and_an_old_one_finishes(
    tmp_path: Path, report: Callable[[str], None]
) -> None:
    async with scene(tmp_path) as world:
        bot = tmp_path / "dialog_bot.py"
        first = bot.read_text("utf-8")
        for no, (who, words) in enumerate((("old", 3), ("asked", 1), ("paid", 4)), 1):
            await world.talks(who, no, words=words)
        await world.home.settled()

        bot.write_text(first.replace(_FUNCTION, "async def first(") + _SECOND, "utf-8")
        assert await rehearsed(world) == (0, []), "beside the bridge that runs"
        world.home.kill()
        for word in ("yes", "broken"):
            await world.says("old", word)
        await world.says("new", "order 9")
        await world.sees("old", 6)
        await world.sees("new", 1)
        assert (world.seen("old"), world.seen("new")) == (said_to(1), ["Why do you want it back?"])
        await world.home.settled()

        bot.write_text(first.replace("How many stars?", "How many stars, 1 to 5?"), "utf-8")
        code, rows = await rehearsed(world)
        found = {row["conversation"]: (row["dialog"], row["version"], row["step"], row["action"]) for row in rows}
        assert (code, found) == (
            1,
            {
                "asked": ("refund", 1, 2, "restart"),
                "paid": ("refund", 1, 2, "handoff"),
                "new": ("refund", 2, None, "restart"),
            },
        )
        world.home.kill()
        for who, word in (("asked", "5"), ("paid", "broken"), ("new", "it broke"), ("other", "hello")):
            await world.says(who, word)
        for who, number in (("asked", 4), ("new", 3), ("other", 1)):
            await world.sees(who, number)
        await world.home.settled()
        told = [json.loads(line) for line in world.home.log.splitlines() if '"dialog_changed"' in line]
        gone, another = "no version 2 of it is registered", "step 2, ask, is another one now"
        assert sorted((line["handler"], line["outcome"], line["reason"]) for line in told) == [
            ("refund v1", "handoff", another),
            ("refund v1", "restart", another),
            ("refund v2", "restart", gone),
        ]
        assert world.seen("asked")[2:] == ["About order 2.", "How many stars, 1 to 5?"]
        assert world.seen("paid") == said_to(3)[:5], "a person has it"
        assert world.thread("paid")[1:] == (None, f"the dialog refund v1 cannot go on: {another}")
        assert world.seen("new")[1:] == ["About order 9.", "How many stars, 1 to 5?"]
        assert world.seen("other") == ["heard: message"]
        assert world.payments.refunds == {"refund-1": 1, "refund-3": 1}
    report(f"{len(rows)} dialogs that could not go on were named beforehand and dealt with; 1 finished as it began")
