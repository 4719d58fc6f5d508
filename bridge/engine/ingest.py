"""From an authenticated webhook to what the store receives: parsed once, encoded once, or put in quarantine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bridge.errors import Unmappable
from bridge.providers.port import Webhook
from bridge.routing.router import rulebook_of
from bridge.strict_json import read_object
from bridge.text.equal_text import is_blank

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bridge.clock import Clock
    from bridge.config.load import Config
    from bridge.routing.router import Router
    from bridge.store.looks import DeadLetter
    from bridge.store.records import Arrival, Receipt

import hashlib
import json
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

from bridge.events import FROM_CONTACT, GROUP, Echo, Message, Postback, Status, ThreadRef, Unrecognised, encode_event
from bridge.log import kind_of, log
from bridge.store.admission import OWN_KEYS, place_of
from bridge.store.lifecycle import OPEN, QUARANTINED, InboxState
from bridge.store.people.identities import encode_identities
from bridge.store.records import CONFLICT, STORED, Arrival

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.events import Event
    from bridge.providers.optional import Polled
    from bridge.providers.port import Inbound, Provider

_RECORDED: Final = (Status, Echo)
_SPOKEN: Final = (Message, Postback, Unrecognised)
_LONGEST_NAME: Final = 512
"""Characters an event key or a conversation id may have."""
_LONGEST_REASON: Final = 2000
_TAKEN: Final = 200
"""What a webhook in quarantine is answered."""


def arrivals_of(
    account: str, provider: Provider, webhook: Webhook, wants: Callable[[str], bool], *, fetches: bool = False
) -> list[Arrival]:
    """What a webhook brings, in its order; none when it means nothing to a bot.

    `wants` tells whether any rule is for events of a tag: an unwanted status or echo is only recorded (but for
    an echo of a person, who has the thread from then on), and an unrecognised event waits in quarantine for somebody
    who does. `fetches`: the media of messages are to be fetched.
    """
    try:
        return [
            _arrival(account, provider.name, inbound, webhook, wants, fetches=fetches)
            for inbound in provider.parse(webhook)
        ]
    except Unmappable as error:
        return [quarantined(account, webhook, str(error))]
    except Exception as error:  # noqa: BLE001 - what a provider's own mistake cannot read is authentic all the same
        return [quarantined(account, webhook, f"the provider's own code failed: {kind_of(error)}")]


def arrivals_asked_for(
    account: str,
    provider: str,
    polled: Polled,
    wants: Callable[[str], bool],
    received_at: int,
    *,
    fetches: bool = False,
) -> list[Arrival]:
    """The answer of a provider that was asked: as if each event had come in a webhook of its own."""
    arrivals = [
        quarantined(account, _webhook(body, received_at), f"asked for: {reason}") for body, reason in polled.unmappable
    ]
    for inbound in polled.inbound:
        webhook = _webhook(json.dumps(dict(inbound.event.raw)).encode(), received_at)  # keeps what orjson refuses
        arrivals.append(_arrival(account, provider, inbound, webhook, wants, fetches=fetches))
    return arrivals


def _webhook(body: bytes, received_at: int) -> Webhook:
    return Webhook(channel=None, body=body, json={}, received_at=received_at)


def quarantined(account: str, webhook: Webhook, reason: str) -> Arrival:
    """A webhook that is authentic and not understood, whole. Its key is its content, so that it is kept once."""
    digest = hashlib.sha256(webhook.body).hexdigest()[:32]
    return Arrival(
        account=account,
        key=f"quarantine:{digest}",
        ref=None,
        event=None,
        encoded=b"",
        raw=webhook.body,
        state=QUARANTINED,
        channel=webhook.channel,
        reason=_shown(reason),
        received_at=webhook.received_at,
    )


def log_quarantine(
    arrivals: Sequence[Arrival], receipts: Sequence[Receipt], peer: Callable[[], str | None] | None = None
) -> None:
    """A line for each arrival that is in quarantine from now on; `peer` names who brought it."""
    for arrival, receipt in zip(arrivals, receipts, strict=True):
        if receipt is CONFLICT:
            reason = "its event key is known with another content"
        elif arrival.state is QUARANTINED and receipt is STORED:
            reason = "not understood; the dead letter has the reason"
        else:
            continue
        about = {"account": arrival.account, "event_key": arrival.key, "status": _TAKEN, "reason": reason}
        log.warning("webhook_quarantined", **about, **({"peer": name} if (name := peer and peer()) else {}))


def _shown(reason: str) -> str:
    """A reason that every store keeps; it may quote the webhook."""
    return reason.replace("\0", "\\0").encode(errors="backslashreplace").decode()[:_LONGEST_REASON]


def _arrival(
    account: str,
    provider: str,
    inbound: Inbound,
    webhook: Webhook,
    wants: Callable[[str], bool],
    *,
    fetches: bool,
) -> Arrival:
    event = inbound.event
    if isinstance(event, Message) and event.kind == "text" and is_blank(event.text):
        event = replace(event, kind="unknown")  # nobody said anything: no rule or question for texts gets it
    try:
        encoded = encode_event(event)
        _check_name(inbound.key, "event key")
        for key in inbound.former_keys:
            _check_text(key, "event key")
        ref, place = _conversation(account, provider, inbound.channel, inbound.conversation_id)
        for name, value in inbound.address.items():
            _check_text(name, "address")
            _check_text(value, "address")
        identities = _identities(inbound)
    except (TypeError, ValueError) as error:
        return quarantined(account, webhook, str(error))
    state, reason = (OPEN, "") if isinstance(event, FROM_CONTACT) else _beginning(event, wants)
    if ref is None and not isinstance(event, Status):
        return quarantined(account, webhook, "the conversation is not named")
    return Arrival(
        account=account,
        key=f"{place}/{inbound.key}",
        ref=ref,
        event=event,
        encoded=encoded,
        raw=webhook.body,
        state=state,
        address=inbound.address,
        channel=webhook.channel,
        reason=reason and _shown(reason),
        received_at=webhook.received_at,
        with_person=inbound.with_person,
        former_keys=tuple([_gateways(key) for key in inbound.former_keys]) or (_gateways(inbound.key),),
        identities=identities,
        fetches=fetches and isinstance(event, Message) and event.media is not None and bool(event.media.url),
    )


def _beginning(event: Event, wants: Callable[[str], bool]) -> tuple[InboxState, str]:
    """The state that an event begins in, and why."""
    if isinstance(event, Unrecognised) and not wants(event.tag):
        return QUARANTINED, f"an event of the unknown kind {event.type!r}"
    if isinstance(event, _RECORDED) and not wants(event.tag) and not (isinstance(event, Echo) and event.human):
        return InboxState.DONE, ""
    return OPEN, ""


def _identities(inbound: Inbound) -> bytes:
    """Who an event says that its sender is, as stored: at least who has the conversation, unless that is a group."""
    if inbound.identities:
        return _encoded(inbound.identities)
    if inbound.channel == GROUP or not isinstance(inbound.event, _SPOKEN):
        return b""
    return _encoded((("conversation", f"{inbound.channel}/{inbound.conversation_id}"),))


@lru_cache(4096)
def _encoded(identities: tuple[tuple[str, str], ...]) -> bytes:
    for kind, value in identities:
        _check_text(kind, "identity")
        _check_name(value, "identity")
    return encode_identities(identities)


def event_key(channel: str, conversation_id: str | None, name: str) -> str:
    """The event's name with its conversation: a messenger numbers the messages of each chat anew."""
    return f"{place_of(channel, conversation_id or '')}/{name}"


@lru_cache(4096)
def _conversation(
    account: str, provider: str, channel: str, conversation_id: str | None
) -> tuple[ThreadRef | None, str]:
    """A conversation and its place in event keys: one that comes again is the same object, and found by being it.

    What is raised is not remembered.
    """
    if conversation_id is not None:
        _check_name(conversation_id, "conversation id")
    _check_name(channel, "channel")
    ref = None if conversation_id is None else ThreadRef(account, provider, channel, conversation_id)
    return ref, place_of(channel, conversation_id or "")


def _gateways(key: str) -> str:
    """A former key of a gateway's event, in a form that none of ours has, also when its own begins like one."""
    return f"gateway:{key}" if key.startswith(OWN_KEYS) else key


def _check_name(name: str, what: str) -> None:
    """Names are indexed and compared: they have to be storable everywhere, and of sane length."""
    if not name or len(name) > _LONGEST_NAME:
        raise ValueError(f"the {what} is empty or longer than {_LONGEST_NAME} characters")
    _check_text(name, what)


def _check_text(text: str, what: str) -> None:
    if not isinstance(text, str):
        raise TypeError(f"the {what} is no text")
    if text.isascii() and text.isprintable():
        return
    if "\0" in text:
        raise ValueError(f"not storable: the {what} holds a NUL character")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"not storable: the {what} holds a lone surrogate") from None


def reread(config: Config, router: Router, clock: Clock, letter: DeadLetter) -> Sequence[Arrival]:
    """A quarantined webhook as the providers of this configuration understand it now.

    Raises:
        Unmappable: they still do not, or its account is gone.
    """
    account = config.accounts.get(letter.account)
    if account is None:
        raise Unmappable(f"the account {letter.account} is not configured")
    body = letter.content
    webhook = Webhook(channel=letter.channel, body=body, json=read_object(body), received_at=clock.now())
    wants, fetches = rulebook_of(router).wants, config.media.store is not None
    arrivals = arrivals_of(account.name, account.provider, webhook, wants, fetches=fetches)
    for arrival in arrivals:
        if arrival.state == "quarantined":
            raise Unmappable(arrival.reason)
    return arrivals
