"""Timers to come and jobs: what is due when, and a job that runs now."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any, Final

import orjson
from aiohttp import hdrs

from bridge.conversation.effects import AT, QUIET
from bridge.conversation.journal import is_question_timer
from bridge.engine.jobs import JOBS, next_of, progress_of
from bridge.web.api import models
from bridge.web.api.calls import cursor_of, read_cursor
from bridge.web.api.problems import Refusal
from bridge.web.operator.page import Page

if TYPE_CHECKING:
    from aiohttp import web

    from bridge.store.looks import TimerSummary
    from bridge.web.api.calls import Call
    from bridge.web.operator.page import Ask

_SHOWN: Final = 50
_OWN: Final = {AT: "Message for later", QUIET: "Returns to the bot"}
_QUESTION: Final = "A question ends"
"""What the bridge's own timers are for."""


async def _timers(ask: Ask) -> web.StreamResponse:
    """Timers that wait, the next one first."""
    query = ask.request.query
    asked = ask.read(models.AuditAsked, {name: query.get(name) for name in ("cursor", "account")})
    call, after = ask.call(), read_cursor(asked.cursor) or (0, 0)
    found: list[TimerSummary] = []
    for backend, account in call.lists(asked.account):
        found += await backend.store.timers_to_come(account=account, limit=_SHOWN + 1, after=after)
    found.sort(key=lambda timer: (timer.due_at, timer.id))
    page = found[:_SHOWN]
    more = cursor_of((page[-1].due_at, page[-1].id)) if len(found) > _SHOWN else None
    accounts = sorted(name for backend in ask.backends for name in backend.accounts)
    shown = [(_shown(call, timer), timer) for timer in page]
    template = "timer-rows.html" if ask.is_fragment else "timers.html"
    return ask.render(template, timers=shown, next=more, asked=asked, accounts=accounts, now=ask.clock.now())


def _shown(call: Call, timer: TimerSummary) -> dict[str, Any]:
    message = orjson.loads(timer.message) if timer.message else {}
    text = message.get("text") or message.get("kind") or ""
    name = (timer.contact.name if timer.contact else "") or timer.ref.conversation_id
    own = _QUESTION if is_question_timer(timer.name) else _OWN.get(timer.name, "")
    return {"thread": call.id_of(timer.ref.account, timer.thread_id), "name": name, "says": str(text), "own": own}


async def _jobs(ask: Ask) -> web.StreamResponse:
    """The bot's jobs, by name."""
    return await _job_list(ask, "")


async def _job_list(ask: Ask, runs: str) -> web.StreamResponse:
    now, rows = ask.clock.now(), []
    for backend in ask.backends:
        for name, job in sorted(backend.jobs.rules.items()):
            progress = await progress_of(backend.store, job)
            until = progress.until if progress is not None else None
            rows.append({"name": name, "job": job, "next": next_of(job, progress, now), "until": until})
    template = "job-rows.html" if ask.is_fragment else "jobs.html"
    return ask.render(template, jobs=rows, runs=runs)


async def _run(ask: Ask) -> web.StreamResponse:
    """Run a job now, beside its times."""
    name = ask.form.get("name", "")
    for backend in ask.backends:
        if name in backend.jobs.rules:
            await ask.call().audit(backend, "run", JOBS, f"job {name}")
            await backend.jobs.run(name, secrets.token_hex(16))
            return await _job_list(ask, name)
    raise Refusal(404, "there is no such job")


PAGES: Final = (
    Page(path="/timers", act=_timers, name="Timers"),
    Page(path="/jobs", act=_jobs, name="Jobs"),
    Page(path="/jobs", act=_run, method=hdrs.METH_POST, role="operator"),
)
