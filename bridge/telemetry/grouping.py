"""One message for many alerts: of each kind no more than one in a period, and one more when it is over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from bridge.telemetry.findings import OVER, Kind
from bridge.units import SECOND, moment

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from bridge.telemetry.findings import Finding

GATHER: Final = 30 * SECOND
"""How long the first alert waits for others: what breaks together is told together, and what passes is not told."""

_Key = tuple[Kind, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What is told at once: alerts by kind and account, each with its text, and those that are over."""

    bridge: str
    at: int
    firing: Sequence[tuple[Kind, str, str]] = ()
    over: Sequence[tuple[Kind, str, str]] = ()

    @property
    def title(self) -> str:
        """One line."""
        parts = [f"{len(self.firing)} new" if self.firing else "", f"{len(self.over)} over" if self.over else ""]
        return f"threadbridge {self.bridge}: alerts, {', '.join(filter(None, parts))}"

    @property
    def text(self) -> str:
        """For people."""
        lines = [f"- {text}" for _, _, text in self.firing]
        return "\n".join([self.title, *lines, *(f"- over: {text}" for _, _, text in self.over)])

    def as_json(self) -> dict[str, Any]:
        """For a webhook; chats show the text."""
        states = (("firing", self.firing), ("resolved", self.over))
        alerts = [
            {"status": status, "kind": kind.value, "account": account or None, "text": text}
            for status, some in states
            for kind, account, text in some
        ]
        return {"text": self.text, "bridge": self.bridge, "at": moment(self.at).isoformat(), "alerts": alerts}


class Grouping:
    """Remembers what was told."""

    def __init__(self, bridge: str, period: float, least: Mapping[Kind, int]) -> None:
        """`period` is in seconds; `least` is how many new cases of a kind are told of, where that is more than one."""
        self._bridge = bridge
        self._period = round(period * SECOND)
        self._least = least
        self._told: dict[_Key, int] = {}
        """What was told and is not over, with the count of its cases."""
        self._noticed: dict[Kind, int] = {}
        """Since when a kind has news."""
        self._sent: dict[Kind, int] = {}

    def forget(self, kept: Collection[Kind]) -> None:
        """Others tell from now on of all kinds but these."""
        self._told = {key: count for key, count in self._told.items() if key[0] in kept}

    def due(self, findings: Sequence[Finding], now: int) -> Notice | None:
        """What is to be told now; it counts as told."""
        active = {(finding.kind, finding.account): finding for finding in findings}
        news = {key: finding for key, finding in active.items() if self._is_news(key, finding)}
        over = [key for key in self._told if key not in active]
        changed = {kind for kind, _ in (*news, *over)}
        self._noticed = {kind: self._noticed.get(kind, now) for kind in changed}
        open_kinds = {kind for kind in changed if kind not in self._sent or now - self._sent[kind] >= self._period}
        if not any(now - self._noticed[kind] >= GATHER for kind in open_kinds):
            return None
        told = Notice(
            bridge=self._bridge,
            at=now,
            firing=[(*key, self._text(key, finding)) for key, finding in news.items() if key[0] in open_kinds],
            over=[(*key, OVER[key[0]].format(key[1])) for key in over if key[0] in open_kinds],
        )
        for kind in open_kinds:
            self._sent[kind] = now
            del self._noticed[kind]
        self._told |= {key: finding.count for key, finding in news.items() if key[0] in open_kinds}
        self._told = {key: count for key, count in self._told.items() if key in active or key[0] not in open_kinds}
        return told

    def _is_news(self, key: _Key, finding: Finding) -> bool:
        if not finding.count:
            return key not in self._told
        return finding.count - self._told.get(key, 0) >= self._least.get(finding.kind, 1)

    def _text(self, key: _Key, finding: Finding) -> str:
        new = finding.count - self._told.get(key, 0)
        return f"{finding.text} ({new} new)" if finding.count else finding.text
