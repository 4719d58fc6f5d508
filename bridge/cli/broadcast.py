"""`threadbridge broadcast`: one message for many contacts, each of whom gets it once whatever stops it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, NamedTuple

import typer

from bridge.cli.broadcast_plan import plan_of
from bridge.cli.broadcast_progress import follow
from bridge.cli.composing import composer, portions
from bridge.cli.contact_query import Fields, Tags, people_asked_for
from bridge.cli.message_files import read_json
from bridge.cli.output import DEFAULT, AsJson, ConfigFile, complain, exits, leave, say
from bridge.cli.recipient_files import read_recipients
from bridge.cli.send import time_in
from bridge.config.load import load_config
from bridge.engine.broadcasts.composing import read_wording
from bridge.errors import HandlerError
from bridge.store.broadcasts import Bounds

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from bridge.cli.composing import Composes
    from bridge.cli.recipient_files import Recipients
    from bridge.engine.broadcasts.composing import Flaw

_SHOWN: Final = 20
"""Flaws that are shown one by one."""
_BOUNDS: Final = Bounds()


class _Asked(NamedTuple):
    """What a broadcast is to be. With `resume` it is one that was begun before."""

    account: str
    message: object
    channel: str | None
    at: datetime | None
    bounds: Bounds
    title: str
    resume: str | None
    skip: bool


def broadcast(
    account: Annotated[str, typer.Argument(metavar="ACCOUNT", help="An account of the configuration.")],
    file: Annotated[
        Path | None,
        typer.Argument(metavar="FILE.csv", help="The recipients; its first line names the columns, like to,name."),
    ] = None,
    *,
    message: Annotated[
        Path,
        typer.Option(metavar="FILE", help="The message as JSON, or one for each gateway; {name} is a column."),
    ],
    resume: Annotated[
        str | None, typer.Option(metavar="ID", help="Go on with the broadcast that an interrupted command began.")
    ] = None,
    contacts: Annotated[bool, typer.Option("--contacts", help="Recipients are the contacts of the account.")] = False,
    tag: Tags = None,
    field: Fields = None,
    to: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="Names the contact.  [default: to, phone, number, or the first]"),
    ] = None,
    channel: Annotated[
        str | None, typer.Option(metavar="NAME", help="Where the column alone does not tell, like whatsapp.")
    ] = None,
    at: Annotated[
        str | None, typer.Option("--at", metavar="ISO", help="Not before, like 2026-12-24T09:00+07:00.")
    ] = None,
    skip: Annotated[bool, typer.Option("--skip", help="Leave out recipients that have a flaw.")] = False,
    stop_failures: Annotated[
        float, typer.Option(metavar="SHARE", min=0, max=1, help="Pause when more of the messages fail.")
    ] = _BOUNDS.failures,
    stop_opt_outs: Annotated[
        float, typer.Option(metavar="SHARE", min=0, max=1, help="Pause when more of the contacts opt out.")
    ] = _BOUNDS.opt_outs,
    stop_from: Annotated[
        int, typer.Option(metavar="COUNT", min=1, help="Messages from which on these shares count.")
    ] = _BOUNDS.at_least,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would leave, and send nothing.")] = False,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Show the progress until it is over.")] = True,
    config: ConfigFile = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Send a message to many contacts, each of whom gets it once whatever stops it.

    Each recipient is looked at before anything leaves. Replies overtake the broadcast; consent, quiet hours and windows
    hold. A running bridge sends it; otherwise it is stored for the next start. The command may end at any time: the
    broadcast goes on. `threadbridge broadcasts` looks after it.

    Example: `threadbridge broadcast shop customers.csv --message sale.json`
    """
    if (file is None) != contacts:
        raise typer.BadParameter("want FILE.csv, or --contacts in its place")
    when, bounds = time_in(at), Bounds(stop_failures, stop_opt_outs, stop_from)
    with exits():
        asked = _Asked(account, read_json(message), channel, when, bounds, str(file or Path("contacts")), resume, skip)
        part = load_config(config, accounts=False).of_account(account)
        if file is not None:
            recipients = read_recipients(file, to)
        else:
            recipients = asyncio.run(people_asked_for(part, account, channel, tag or (), field or ()))
        _check(recipients.flaws, asked)
        try:
            if dry_run:
                wording = read_wording(asked.message, recipients.columns)
                flaws = plan_of(load_config(config), account, wording, channel, recipients, as_json=as_json)
                _check(flaws, asked)
                return
            broadcast_id, runs = asyncio.run(_send(config, asked, recipients))
        except HandlerError as error:
            complain(str(error))
            leave(1)
        if as_json and not (wait and runs):
            typer.echo(json.dumps({"id": broadcast_id, "running": runs}))
        elif not as_json:
            say(f"{broadcast_id}: {'begun' if runs else 'stored; it begins when the bridge runs'}")
        if wait and runs:
            follow(part, broadcast_id, as_json=as_json)


async def _send(path: Path, asked: _Asked, recipients: Recipients) -> tuple[str, bool]:
    """Begin a broadcast, or go on with one; its id, and whether a running bridge sends it."""
    config = load_config(path, accounts=False).of_account(asked.account)
    async with composer(path, config) as (composes, runs):
        broadcast_id = asked.resume or await composes.begin(
            asked.account,
            asked.message,
            channel=asked.channel,
            at=asked.at,
            bounds=asked.bounds,
            title=asked.title,
            columns=recipients.columns,
        )
        try:
            await _fill(composes, broadcast_id, asked, recipients)
        except HandlerError:
            if asked.resume is None:
                raise
        if not await composes.start(broadcast_id) and asked.resume is None:
            raise HandlerError(f"the broadcast {broadcast_id} was cancelled meanwhile")
    return broadcast_id, runs


async def _fill(composes: Composes, broadcast_id: str, asked: _Asked, recipients: Recipients) -> None:
    """Add the recipients to a draft; where some have a flaw, it is cancelled."""
    flaws: list[Flaw] = []
    for portion in portions(recipients.rows):
        flaws += await composes.add(broadcast_id, portion)
        if len(flaws) > _SHOWN and not asked.skip and not all(flaw.repeated for flaw in flaws):
            break
    if not asked.skip and not all(flaw.repeated for flaw in flaws):
        await composes.cancel(broadcast_id)
    _check(flaws, asked)


def _check(flaws: Sequence[Flaw], asked: _Asked) -> None:
    """Tell of flaws; unless they are all skipped, the command ends. A contact that comes twice is no reason to."""
    for flaw in flaws[:_SHOWN]:
        complain(f"{asked.title}:{flaw.number}: {flaw.reason}{'; left out' if flaw.repeated or asked.skip else ''}")
    if len(flaws) > _SHOWN:
        complain(f"and {len(flaws) - _SHOWN:,} more")
    if not asked.skip and not all(flaw.repeated for flaw in flaws):
        complain("nothing is sent: correct these, or leave them out with --skip")
        leave(1)
