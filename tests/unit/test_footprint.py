"""What a message, a contact and a client leave in memory."""

from __future__ import annotations

import gc
import ssl
import subprocess
import sys
import tracemalloc
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import pytest

from bridge.conversation.journal import Journal
from bridge.conversation.members import Members
from bridge.conversation.state import State
from bridge.engine.delivery.client import Attempt
from bridge.engine.delivery.dialling import verifying
from bridge.events import Contact, Message, encode_event
from bridge.footprint import unread_certificates
from bridge.messages import Text, encode_message
from bridge.store.people.asking import Asserted, Known
from bridge.store.people.families import person_of
from bridge.store.people.identities import encode_identities
from tests.contract.provider.roster import PROVIDERS
from tests.support.certificates import Authority
from tests.support.deliveries import out

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bridge.testing.contract.provider import ProviderCases

_FEW: Final = 1_000
"""Bytes; orjson's own take four times as many."""


def _state() -> bytes:
    state = State({})
    state["name"] = "Ann"
    return state.encode()


def _members() -> bytes | None:
    members = Members(None)
    members.state_of(_HEARD)["name"] = "Ann"
    return members.encode()


def _person() -> bytes:
    return person_of([Known(1, None, b'{"fields":{"name":"Ann"}}')], [Asserted("shop", "phone", "+6281234567890", 1)])


_HEARD: Final = Message(id="1", contact=Contact(id="ann"), at=datetime(2026, 1, 1, tzinfo=UTC), text="hello")
REMEMBERED: Final[dict[str, Callable[[], bytes | None]]] = {
    "identities": lambda: encode_identities([("phone", "+6281234567890")]),
    "person": _person,
    "state": _state,
    "members": _members,
    "journal": lambda: Journal(name="greet", version=1, run="1", arguments=["Ann"]).encode(),
    "event": lambda: encode_event(_HEARD),
    "message": lambda: encode_message(Text("hello")),
    "requests": lambda: Attempt([{"path": "/send"}]).encode(),
}


@pytest.mark.parametrize("made", REMEMBERED.values(), ids=REMEMBERED.keys())
def test_what_is_remembered_or_under_way_takes_its_own_bytes_and_no_page(made: Callable[[], bytes | None]) -> None:
    assert _bytes_of(made) < _FEW


@pytest.mark.parametrize("cases", PROVIDERS.values(), ids=PROVIDERS.keys())
def test_the_body_of_a_request_takes_its_own_bytes_and_no_page(cases: ProviderCases) -> None:
    provider = cases.build()
    said = next(case.outbound for case in cases.spoken if isinstance(case.outbound.message, Text))
    assert _bytes_of(lambda: next(provider.send(said, None)).body) < _FEW


def _bytes_of(made: Callable[[], bytes | None]) -> int:
    """The bytes that a value takes, once all that is made once is there."""
    made()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        kept = made()
        taken = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert kept is not None
    return taken


async def test_a_message_that_is_sent_is_freed_without_a_search_for_cycles() -> None:
    async with out({}) as sending:
        await sending.say("1")
        gc.collect()
        gc.disable()
        gc.set_debug(gc.DEBUG_SAVEALL)
        try:
            await sending.say("2 3", "m-2")
            gc.collect()
            left = {type(value).__name__ for value in gc.garbage if type(value).__module__.startswith("bridge.")}
        finally:
            gc.set_debug(0)
            gc.garbage.clear()
            gc.enable()
        assert sending.wire.texts == ["1", "2", "3"]
    assert left == set()


def test_clients_share_the_certificates_of_authorities_that_are_in_one_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = verifying()
    assert verifying() is shared
    monkeypatch.setenv("SSL_CERT_FILE", str(Authority(tmp_path).file))
    assert verifying() is not shared


def test_a_context_reads_the_certificates_of_authorities_for_its_first_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    with unread_certificates():
        context, own = ssl.create_default_context(), _OwnContext(ssl.PROTOCOL_TLS_CLIENT)
        own.load_default_certs()
    assert isinstance(context, ssl.SSLContext)
    assert (_authorities(context), _authorities(own)) == (0, 1)
    assert _authorities(ssl.create_default_context()) == 1
    _shake_hands(context, authority.server("shop", "shop.example"), "shop.example")
    assert _authorities(context) == 1
    assert type(context) is ssl.SSLContext
    with pytest.raises(ssl.SSLCertVerificationError):
        _shake_hands(context, authority.server("shop", "shop.example"), "other.example")
    (tmp_path / "other").mkdir()
    with pytest.raises(ssl.SSLCertVerificationError):
        _shake_hands(context, Authority(tmp_path / "other").server("shop", "shop.example"), "shop.example")


@pytest.mark.slow
def test_a_process_of_our_own_reads_no_certificates_for_clients_that_may_never_be() -> None:
    asked = "print([kept.cert_store_stats()['x509'] for kept in gc.get_objects() if isinstance(kept, ssl.SSLContext)])"
    begins = "from bridge.cli import serve\nserve.serve_without_output = exit\n"
    code = f"import atexit, gc, ssl\natexit.register(lambda: {asked})\n{begins}serve._serve(None, None)"
    assert subprocess.check_output([sys.executable, "-c", code]).split() == [b"[0,", b"0]"]


class _OwnContext(ssl.SSLContext):
    """A kind of context of somebody else's."""


def _authorities(context: ssl.SSLContext) -> int:
    return context.cert_store_stats()["x509_ca"]


def _shake_hands(client: ssl.SSLContext, server: ssl.SSLContext, name: str) -> None:
    """A handshake in memory. Raises SSLError."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = [
        client.wrap_bio(to_client, to_server, server_hostname=name),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    while sides:
        for side in list(sides):
            with suppress(ssl.SSLWantReadError):
                side.do_handshake()
                sides.remove(side)
