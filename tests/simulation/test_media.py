"""Media that stay: read long after their links died, whatever happened to the process, and each content once."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import pytest

from bridge import Dialog, MediaError, Message, Router, Turn
from bridge.errors import ConfigError
from bridge.store.lifecycle import MediaState
from bridge.testing.world import World

if TYPE_CHECKING:
    from pathlib import Path

    from bridge.testing.contacts import Contact

KEPT = {"media": {"store": "kept"}}
PNG = b"\x89PNG\r\n\x1a\n"


def picture(number: int) -> bytes:
    return PNG + f"{number}".encode()


def album(*, waits: bool = True) -> Router:
    """A bot that says what it reads."""
    router = Router()
    options: dict[str, Any] = {"media": "fetched"} if waits else {}

    @router.message(kind="image", **options)
    async def look(turn: Turn[Message]) -> str:
        media = turn.event.media
        assert media is not None
        try:
            data = await media.read()
        except MediaError as error:
            return f"lost: {error}"
        assert media.sha256 == hashlib.sha256(data).hexdigest()
        return f"{media.mime_type} of {media.size}: {data[len(PNG) :].decode()}"

    @router.message()
    async def echo(turn: Turn[Message]) -> str:
        return f"heard {turn.event.text}"

    return router


def world_of(router: Router, **settings: Any) -> World:
    return World(router, settings={"media": {**KEPT["media"], **settings}})


async def send(world: World, contact: Contact, data: bytes, *, lasts: str | None = None) -> None:
    await contact.sends("image", world.file(contact, data, lasts=lasts))


@pytest.mark.parametrize("waits", [True, False], ids=["fetched first", "read at once"])
async def test_a_handler_reads_what_a_contact_sent(*, waits: bool) -> None:
    world = world_of(album(waits=waits))
    ann = world.contact("konnek", "whatsapp", "ann")
    await send(world, ann, picture(7))
    await world.settle()
    ann.saw_once("image/png of 9: 7")


async def test_a_handler_that_reads_nothing_knows_what_was_fetched_all_the_same() -> None:
    router = Router()

    @router.message(kind="image", media="fetched")
    async def look(turn: Turn[Message]) -> str:
        media = turn.event.media
        assert media is not None
        return f"{media.mime_type} of {media.size}, {media.sha256}"

    world = world_of(router)
    ann = world.contact("konnek", "whatsapp", "ann")
    await send(world, ann, picture(7))
    await world.settle()
    ann.saw_once(f"image/png of 9, {hashlib.sha256(picture(7)).hexdigest()}")


@pytest.mark.parametrize("account", ["konnek", "whautochat", "aelyst"])
async def test_every_gateways_media_stay(account: str) -> None:
    world = world_of(album())
    ann = world.contact(account, "whatsapp", "ann")
    await send(world, ann, picture(7), lasts="60s")
    await world.settle()
    await world.advance("2h")
    ann.saw_once("image/png of 9: 7")


async def test_a_thread_waits_for_its_medium_in_order_and_takes_no_place_meanwhile() -> None:
    world = World(album(), settings={**KEPT, "handlers": {"concurrency": 1}})
    ann, bob = world.contact("konnek", "whatsapp", "ann"), world.contact("konnek", "whatsapp", "bob")
    files = world._stage.files["konnek"]
    files.busy = True
    await send(world, ann, picture(1))
    await ann.says("and?")
    await world.until(lambda: files.fetches > 1)
    await bob.says("hello")
    await world.until(lambda: bool(bob.seen))
    bob.saw_once("heard hello")
    ann.saw_nothing()
    files.busy = False
    await world.settle()
    ann.saw("~of 9: 1").then("heard and?")


@pytest.mark.parametrize(
    ("data", "reason"),
    [(None, "HTTP 404"), (b"<html>log in", "text/html"), (PNG * 1000, "too many bytes")],
    ids=["dead", "no picture", "large"],
)
async def test_a_medium_that_cannot_be_had_ends_the_wait_with_the_reason(data: bytes | None, reason: str) -> None:
    world = world_of(album(), max=1024)
    ann = world.contact("konnek", "whatsapp", "ann")
    url = world.file(ann, data) if data else "https://konnek.test/nothing"
    await ann.sends("image", url)
    await ann.says("and?")
    await world.settle()
    ann.saw("~lost: the medium could not be fetched: the link gives").then("heard and?")
    ann.saw(f"~{reason}")


async def test_each_fetch_is_counted_by_what_came_of_it() -> None:
    world = world_of(album())
    ann = world.contact("konnek", "whatsapp", "ann")
    files = world._stage.files["konnek"]
    files.busy = True
    await send(world, ann, picture(1))
    await world.until(lambda: files.fetches > 1)
    files.busy = False
    await world.settle()
    counted = {("konnek", "retried"): files.fetches - 1, ("konnek", "kept"): 1}
    assert world.bridge.parts.counters.media == counted
    await ann.sends("image", "https://10.0.0.1/secret.png")
    await world.settle()
    assert world.bridge.parts.counters.media == {**counted, ("konnek", "given_up"): 1}


async def test_a_wait_for_a_medium_has_an_end() -> None:
    world = world_of(album())
    ann = world.contact("konnek", "whatsapp", "ann")
    world._stage.files["konnek"].busy = True
    await send(world, ann, picture(1))
    await ann.says("and?")
    began = world.now
    await world.settle()
    assert 119 < (world.now - began).total_seconds() < 125
    ann.saw("~lost: the medium is not fetched yet").then("heard and?")


@pytest.mark.usefixtures("counted")
async def test_a_turn_that_a_lost_medium_ends_is_not_tried_again() -> None:
    router = Router()

    @router.message(kind="image", media="fetched")
    async def look(turn: Turn[Message]) -> str:
        assert turn.event.media is not None
        return str(len(await turn.event.media.read()))

    world = world_of(router)
    ann = world.contact("konnek", "whatsapp", "ann")
    await ann.sends("image", "https://10.0.0.1/secret.png")
    await world.settle()
    assert world.calls(look) == 1
    (letter,) = await world.inside(world.bridge.store.dead_letters())
    assert "no public address" in letter.reason


async def test_the_same_file_is_stored_once_and_removed_with_its_last_medium() -> None:
    world = world_of(album())
    ann, bob = (world.contact("konnek", "whatsapp", name) for name in ("ann", "bob"))
    for contact in (ann, ann, bob):
        await send(world, contact, picture(1))
    await world.settle()
    contents, store = world._stage.contents, world.bridge.store
    assert len(contents) == 1
    for contact, left in ((ann, 1), (bob, 0)):
        number = await world.inside(store.find_thread(contact.thread))
        await world.inside(store.forget_media(thread_id=number))
        await world.advance("1min")
        assert len(contents) == left
    assert await world.inside(store.forgotten_media(10)) == []


async def test_media_are_kept_for_as_long_as_is_configured() -> None:
    world = world_of(album(), keep="1h")
    ann = world.contact("konnek", "whatsapp", "ann")
    await send(world, ann, picture(1))
    await world.advance("50min")
    assert len(world._stage.contents) == 1
    await world.advance("20min")
    assert len(world._stage.contents) == 0


async def test_without_a_store_nothing_is_fetched_and_a_handler_hears_why() -> None:
    world = World(album(waits=False))
    ann = world.contact("konnek", "whatsapp", "ann")
    await send(world, ann, picture(1))
    await world.settle()
    ann.saw_once('~lost: media are not fetched: set [media] store = "media"')
    assert world._stage.files["konnek"].fetches == 0


def test_a_rule_that_waits_for_media_wants_a_store_for_them() -> None:
    world = World(album())
    with pytest.raises(ConfigError, match=r"media\.store: missing"):
        world.bridge  # noqa: B018 - it begins


async def test_a_file_is_opened_and_saved(tmp_path: Path) -> None:
    router = Router()

    @router.message(kind="image")
    async def look(turn: Turn[Message]) -> str:
        media = turn.event.media
        assert media is not None
        assert media.sha256 == ""
        await media.save(tmp_path / "a.png")
        with await media.open() as file:
            return file.read().decode(errors="replace")[-1]

    world = world_of(router)
    ann = world.contact("konnek", "whatsapp", "ann")
    await send(world, ann, picture(8))
    await world.settle()
    ann.saw_once("8")
    assert (tmp_path / "a.png").read_bytes() == picture(8)


async def many(world: World, count: int) -> None:
    """So many media of five people, some of which are the same, with links that die after a minute."""
    people = [world.contact("konnek", "whatsapp", f"p{number}") for number in range(5)]
    for number in range(count):
        await send(world, people[number % 5], picture(number % (count - count // 5)), lasts="60s")
    await world.settle()
    await world.advance("5min")
    threads = [await world.inside(world.bridge.store.find_thread(each.thread)) for each in people]
    found = []
    for thread in threads:
        assert thread is not None
        entries = await world.inside(world.bridge.store.history(thread, limit=10 * count))
        found += await world.inside(world.bridge.store.media([each.id for each in entries if each.direction == "in"]))
    assert [row.state for row in found] == [MediaState.KEPT] * count
    for row in found:
        data = await world.inside(world._stage.contents.read(row.sha256))
        assert hashlib.sha256(data).hexdigest() == row.sha256
    assert len(world._stage.contents) == count - count // 5


FAULTS = {"crash": 3, "duplicate": 5, "slow_store": 2, "store_fails": 2, "lost_answer": 3, "reorder": None}


async def test_media_stay_wherever_the_process_dies() -> None:
    world = world_of(album())
    await world.explore(lambda each: many(each, 6), seeds=4, faults=FAULTS)


@pytest.mark.soak
async def test_a_thousand_media_stay_wherever_the_process_dies() -> None:
    world = world_of(album())
    await world.explore(lambda each: many(each, 1000), seeds=3, faults={**FAULTS, "crash": 30})


async def test_a_dialog_reads_what_it_asked_for_also_later() -> None:
    router = Router()

    @router.dialog()
    async def claim(d: Dialog) -> str:
        photo = await d.ask("A photo, please.", accept="image")
        place = await d.ask("Where?")
        assert isinstance(photo, Message)
        assert photo.media is not None
        return f"{place}: {(await photo.media.read())[len(PNG) :].decode()}"

    @router.message(text="go")
    async def go(turn: Turn[Message]) -> None:
        await turn.begin(claim)

    world = world_of(router)
    ann = world.contact("konnek", "whatsapp", "ann")
    await ann.says("go")
    await world.settle()
    await send(world, ann, picture(7), lasts="60s")
    await world.settle()
    await world.crash()
    await world.advance("2h")
    await ann.says("Oslo")
    await world.settle()
    ann.saw_once("Oslo: 7")
