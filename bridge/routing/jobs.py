"""Decorators for jobs: turns that begin at a time, and answer nobody."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, get_args

from bridge.callsite import call_site
from bridge.events import Job
from bridge.routing.checks import checked_options
from bridge.routing.handlers import handler_of
from bridge.routing.rules import JobRule, Missed
from bridge.routing.schedules import cron, every

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta

    from bridge.callsite import Site
    from bridge.routing.rulebook import RuleBook
    from bridge.routing.schedules import Schedule
    from bridge.routing.types import OnJob

_NO_FINDS: Final = frozenset[str]()


class JobRouter:
    """The jobs of a router."""

    _book: RuleBook

    def every(
        self,
        when: str | timedelta,
        *,
        tz: str | None = None,
        days: str | None = None,
        missed: Missed = "latest",
        name: str | None = None,
        timeout: str | float | None = None,
    ) -> Callable[[OnJob], OnJob]:
        """A job: each span ("15m"), or each day at times ("09:00, 17:30"), perhaps only on `days` ("mon-fri").

        `tz` is the time zone of a time of day, UTC by itself. A span counts from midnight UTC. The function's first
        parameter is the turn, which writes with `turn.send`; it has a thread, and so a state, of its own. `missed`
        decides about times at which no bridge ran: only the "latest", "all" in order, or "skip".

        `name` (default: the function's) tells which job it is; a job under a new name has missed nothing.
        """
        site = call_site()
        try:
            schedule = every(when, tz, days)
        except ValueError as error:
            raise site.error(f"every(): {error}") from None
        return self._job(site, schedule, missed, name, timeout)

    def cron(
        self,
        expression: str,
        *,
        tz: str | None = None,
        missed: Missed = "latest",
        name: str | None = None,
        timeout: str | float | None = None,
    ) -> Callable[[OnJob], OnJob]:
        """A job at the times of a cron expression of five fields: `@router.cron("0 9 * * 1", tz="Asia/Jakarta")`."""
        site = call_site()
        try:
            schedule = cron(expression, tz)
        except ValueError as error:
            raise site.error(f"cron(): {error}") from None
        return self._job(site, schedule, missed, name, timeout)

    def _job(
        self, site: Site, schedule: Schedule, missed: Missed, name: str | None, timeout: str | float | None
    ) -> Callable[[OnJob], OnJob]:
        if missed not in get_args(Missed):
            raise site.error(f"missed is one of {', '.join(get_args(Missed))}, not {missed!r}")
        given: dict[str, Any] = {} if timeout is None else {"timeout": timeout}
        options = checked_options(site, given)

        def register(function: OnJob) -> OnJob:
            handler = replace(handler_of(function, _NO_FINDS, call_site(), events=frozenset({Job})), options=options)
            self._book.add(JobRule(name=name or handler.name, schedule=schedule, missed=missed, handler=handler))
            return function

        return register
