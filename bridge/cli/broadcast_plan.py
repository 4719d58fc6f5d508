"""What a broadcast would come to: recipients, and requests to the gateway, on each channel."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from bridge.cli.output import listing
from bridge.clock import SystemClock
from bridge.engine.broadcasts.composing import Flaw
from bridge.engine.turns.sending import destination
from bridge.errors import HandlerError
from bridge.planning.plan import plan

if TYPE_CHECKING:
    from bridge.cli.recipient_files import Recipients
    from bridge.config.load import Config
    from bridge.engine.broadcasts.wording import Wording
    from bridge.events import ThreadRef


def plan_of(
    config: Config, account: str, wording: Wording, channel: str | None, recipients: Recipients, *, as_json: bool
) -> list[Flaw]:
    """Print how many recipients each channel has, and how many requests they take; the recipients with a flaw."""
    seen: set[ThreadRef] = set()
    flaws: list[Flaw] = []
    count: Counter[str] = Counter()
    requests: Counter[str] = Counter()
    notes: dict[str, Counter[str]] = {}
    now = SystemClock().now()
    for row in recipients.rows:
        try:
            to = recipients.threads[row.to] if isinstance(row.to, int) else row.to
            ref = destination(config.accounts, account, to, channel).ref
            message = wording.message(ref.provider, ref.channel, row.columns)
        except (ValueError, HandlerError) as error:
            flaws.append(Flaw(row.number, str(error)))
            continue
        if ref in seen:
            flaws.append(Flaw(row.number, "the contact is in the list before", repeated=True))
            continue
        seen.add(ref)
        made = plan(message, config.accounts[account].provider.capabilities(ref.channel), now=now, last_heard=None)
        count[ref.channel] += 1
        requests[ref.channel] += len(made.parts)
        notes.setdefault(ref.channel, Counter()).update([made.dropped] if made.dropped else made.given_up)
    rows = [
        {
            "channel": name,
            "recipients": count[name],
            "requests": requests[name],
            "notes": "; ".join(f"{note} ({times:,})" for note, times in notes[name].most_common()) or None,
        }
        for name in sorted(count)
    ]
    listing(rows, columns=("channel", "recipients", "requests", "notes"), as_json=as_json, empty="no recipients")
    return flaws
