"""`threadbridge send`: a message to somebody who need not have written."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bridge.cli.control import Control
from bridge.cli.message_files import read_message
from bridge.cli.output import DEFAULT, AsJson, ConfigFile, complain, exits, leave, say
from bridge.config.load import load_config
from bridge.errors import HandlerError, KeyTaken
from bridge.messages import Text, encode_message
from bridge.store.opening import open_store

if TYPE_CHECKING:
    from bridge.config.load import Config
    from bridge.messages import Outgoing


def send(
    account: Annotated[str, typer.Argument(metavar="ACCOUNT", help="An account of the configuration.")],
    to: Annotated[
        str,
        typer.Argument(metavar="TO", help="A phone number, or what the gateway calls the contact or the group."),
    ],
    text: Annotated[str | None, typer.Argument(metavar="TEXT", help="The text; or --message.")] = None,
    *,
    channel: Annotated[
        str | None, typer.Option("--channel", metavar="NAME", help="Where TO alone does not tell, like whatsapp.")
    ] = None,
    message: Annotated[
        Path | None, typer.Option("--message", metavar="FILE", help="A message as JSON; - reads standard input.")
    ] = None,
    at: Annotated[
        str | None, typer.Option("--at", metavar="ISO", help="Not before, like 2026-12-24T09:00+07:00.")
    ] = None,
    key: Annotated[
        str | None, typer.Option("--key", metavar="TEXT", help="Sends once: the same again under it changes nothing.")
    ] = None,
    config: ConfigFile = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Send a message to a contact or group, which need not have written.

    The message waits for its turn in the order of its conversation. A running bridge sends it at once; otherwise it is
    stored for the next start. The printed id names it.

    Example: `threadbridge send shop +6281234567890 "Your parcel is here."`
    """
    if (text is None) == (message is None):
        raise typer.BadParameter("want a TEXT or --message FILE")
    when = time_in(at)
    with exits():
        said = Text(text) if text is not None else read_message(message or Path())
        try:
            name, sends_now = _send(config, account, to, said, channel=channel, at=when, key=key)
        except (HandlerError, KeyTaken) as error:
            complain(str(error))
            leave(1)
    if as_json:
        typer.echo(json.dumps({"id": name, "running": sends_now}))
    else:
        say(f"{name}: {'accepted' if sends_now else 'stored; it leaves when the bridge runs'}")


def time_in(at: str | None) -> datetime | None:
    """What `--at` says. Raises typer.BadParameter."""
    try:
        when = None if at is None else datetime.fromisoformat(at)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--at") from None
    if when is not None and when.tzinfo is None:
        raise typer.BadParameter("want a time zone too, like 2026-12-24T09:00+07:00", param_hint="--at")
    return when


def _send(
    path: Path,
    account: str,
    to: str,
    said: Outgoing,
    *,
    channel: str | None,
    at: datetime | None,
    key: str | None,
) -> tuple[str, bool]:
    """The id of the message, and whether a running bridge took it."""
    config = load_config(path, accounts=False).of_account(account)
    if (database := config.storage.file) is not None:
        asked: dict[str, Any] = {"account": account, "to": to, "channel": channel, "key": key}
        asked |= {"message": json.loads(encode_message(said)), "at": at.isoformat() if at else None}
        with suppress(ConnectionRefusedError):
            return Control(database).send(asked), True
    return asyncio.run(_store(load_config(path).of_account(account), account, to, said, channel, at, key)), False


async def _store(
    config: Config,
    account: str,
    to: str,
    said: Outgoing,
    channel: str | None,
    at: datetime | None,
    key: str | None,
) -> str:
    """Store the message for the next start."""
    import random  # noqa: PLC0415 - only needed when no bridge runs, like the engine
    import uuid  # noqa: PLC0415

    from bridge.clock import SystemClock  # noqa: PLC0415
    from bridge.engine.turns.reaching import Reach  # noqa: PLC0415
    from bridge.engine.turns.sending import Sender  # noqa: PLC0415
    from bridge.engine.turns.signing import Signer  # noqa: PLC0415

    store = await open_store(config.storage.url, config.storage.keys)
    try:
        signer, clock = Signer(store, random.SystemRandom()), SystemClock()
        reach = Reach(store, config.accounts, config.channels.order, clock)
        sender = Sender(store, config.accounts, signer, clock, lambda: uuid.uuid4().hex, reach)
        return await sender.send(account, to, said, channel=channel, at=at, key=key)
    finally:
        await store.close()
