"""The control socket: commands that change something ask the running bridge, over a unix socket beside its database.

Only the bridge may write to its store, so `threadbridge dead replay` and its like never do so beside it. The file's
mode (0600) is the whole authentication: a user who may open the database may ask.
"""

from __future__ import annotations

import os
import socket
import stat
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Protocol

from aiohttp import web

from bridge.errors import BridgeError, NoContact, WebhookError
from bridge.strict_json import read_object
from bridge.web.control_protocol import (
    BROADCAST,
    KEEP,
    NO_CONTACT,
    NO_DIALOG,
    NO_JOB,
    NO_THREAD,
    NOT_FOUND,
    NOT_MERGED,
    ONE_PERSON,
    SEND,
    STATUS,
    number_of,
    reachable,
)
from bridge.web.limits import read_body
from bridge.web.refusals import clean_errors
from bridge.web.server import runner_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from pathlib import Path

    _Act = Callable[[str, str], Awaitable[bool]]
    Status = Callable[[], Awaitable[Mapping[str, object]]]
    Send = Callable[[Mapping[str, object]], Awaitable[str]]
    RunJob = Callable[[str], Awaitable[bool]]
    Keep = Callable[[str, Mapping[str, object]], Awaitable[Mapping[str, object]]]

_LONGEST_TEXT: Final = 64 * 1024
_DRAIN_SECONDS: Final = 1.0
"""What is asked takes a commit; a request that was sent by half must not hold up the end."""


class DeadLetters(Protocol):
    """What the socket lets a person do with dead letters."""

    async def replay(self, letter_id: str) -> bool:
        """Append a dead letter to its thread again; False when no dead letter has that id."""
        ...

    async def drop(self, letter_id: str) -> bool:
        """Put a dead letter aside for good; False when no dead letter has that id."""
        ...


class Conversations(Protocol):
    """What the socket lets a person do with conversations."""

    async def hand_off(self, thread_id: int, note: str) -> bool:
        """Give a thread to a person; False when there is no such thread."""
        ...

    async def give_back(self, thread_id: int) -> bool:
        """Return a thread to the bot; False when there is no such thread."""
        ...

    async def end_dialog(self, thread_id: int) -> bool:
        """End the dialog that waits in a thread; False when none waits there."""
        ...


class People(Protocol):
    """What the socket lets a person do with contacts. Both raise NoContact."""

    async def merge(self, contact_id: int, other_id: int) -> bool:
        """Two contacts are one person from now on; False when they are already."""
        ...

    async def unmerge(self, contact_id: int) -> bool:
        """A contact is a person of its own again; False when it is."""
        ...


async def start_control(
    path: Path,
    letters: DeadLetters,
    threads: Conversations,
    status: Status | None = None,
    send: Send | None = None,
    run_job: RunJob | None = None,
    keep: Keep | None = None,
    people: People | None = None,
    *,
    compose: Keep | None = None,
) -> web.AppRunner:
    """Listen at `path` (see control_protocol.socket_path); `cleanup()` of the runner ends it and removes the file.

    Call it while holding the store's lock: a socket that a dead process left at `path` is replaced.

    Raises:
        OSError: the socket cannot be made there.
    """
    app = web.Application(middlewares=[clean_errors(lambda _: None)])
    for where, (act, missing) in _acts(letters, threads).items():
        app.router.add_post(where, _route(act, missing))
    if status is not None:
        app.router.add_get(STATUS, _answer_with(status))
    if send is not None:
        app.router.add_post(SEND, _sending(send))
    if run_job is not None:
        app.router.add_post("/jobs/{id}/run", _route(lambda name, _: run_job(name), NO_JOB))
    if people is not None:
        app.router.add_post("/contacts/{id}/merge", _route(lambda *ids: _merge(people, *ids), ONE_PERSON))
        app.router.add_post("/contacts/{id}/unmerge", _route(lambda id_, _: people.unmerge(_contact(id_)), NOT_MERGED))
    for place, keeps in ((KEEP, keep), (BROADCAST, compose)):
        if keeps is not None:
            app.router.add_post(place, _keeping(keeps))

    async def remove(_: web.Application) -> None:
        with suppress(OSError):  # a file system that turned read-only keeps it, and the next start replaces it
            path.unlink(missing_ok=True)  # noqa: ASYNC240 - one quick call, at the end

    app.on_cleanup.append(remove)
    runner = runner_of(app, drain=_DRAIN_SECONDS)
    await runner.setup()
    await web.SockSite(runner, _listen(path)).start()
    return runner


def _listen(path: Path) -> socket.socket:
    with suppress(FileNotFoundError):
        if stat.S_ISSOCK(path.lstat().st_mode):
            path.unlink()
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)  # the file must never be there with another mode, not even for a moment
    try:
        with reachable(path) as address:
            listening.bind(address)
    except OSError as error:
        listening.close()
        raise OSError(error.errno, error.strerror, str(path)) from None
    finally:
        os.umask(before)
    return listening


def _acts(letters: DeadLetters, threads: Conversations) -> Mapping[str, tuple[_Act, str]]:
    """What is done at each path, and what is said when there is no such thing."""
    return {
        "/dead/{id}/replay": (lambda id_, _: letters.replay(id_), NOT_FOUND),
        "/dead/{id}/drop": (lambda id_, _: letters.drop(id_), NOT_FOUND),
        "/threads/{id}/handoff": (lambda id_, note: _with(id_, lambda each: threads.hand_off(each, note)), NO_THREAD),
        "/threads/{id}/return": (lambda id_, _: _with(id_, threads.give_back), NO_THREAD),
        "/threads/{id}/end-dialog": (lambda id_, _: _with(id_, threads.end_dialog), NO_DIALOG),
    }


async def _merge(people: People, contact_id: str, other_id: str) -> bool:
    return await people.merge(_contact(contact_id), _contact(other_id))


def _contact(text: str) -> int:
    """The id of a contact. Raises NoContact."""
    number = number_of(text)
    if number is None:
        raise NoContact(NO_CONTACT)
    return number


async def _with(thread_id: str, act: Callable[[int], Awaitable[bool]]) -> bool:
    number = number_of(thread_id)
    return number is not None and await act(number)


def _route(act: _Act, missing: str) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def answer(request: web.Request) -> web.Response:
        text = await _text_of(request)
        try:
            found = await act(request.match_info["id"], text)
        except BridgeError as error:
            return web.json_response({"error": " ".join(str(error).split())}, status=409)
        if not found:
            return web.json_response({"error": missing}, status=404)
        return web.json_response({"ok": True})

    return answer


def _sending(send: Send) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def answer(request: web.Request) -> web.Response:
        text = await _text_of(request)
        try:
            return web.json_response({"ok": True, "id": await send(read_object(text.encode()))})
        except (BridgeError, ValueError, TypeError, KeyError) as error:
            return web.json_response({"error": " ".join(str(error).split())}, status=409)

    return answer


def _keeping(keep: Keep) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def answer(request: web.Request) -> web.Response:
        text = await _text_of(request)
        try:
            return web.json_response(await keep(request.match_info["verb"], read_object(text.encode())))
        except (BridgeError, ValueError, TypeError, KeyError) as error:
            return web.json_response({"error": " ".join(str(error).split())}, status=409)

    return answer


def _answer_with(status: Status) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def answer(_: web.Request) -> web.Response:
        try:
            return web.json_response(await status())
        except BridgeError as error:
            return web.json_response({"error": " ".join(str(error).split())}, status=409)

    return answer


async def _text_of(request: web.Request) -> str:
    """The text that goes with a request. Raises WebhookError 400, 408 or 413."""
    try:
        text = (await read_body(request, _LONGEST_TEXT)).decode()
    except UnicodeDecodeError:
        raise WebhookError(400, "the text is not UTF-8") from None
    if "\0" in text:
        raise WebhookError(400, "the text holds a NUL character")
    return text
