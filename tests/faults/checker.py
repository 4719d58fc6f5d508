"""Compares what contacts were promised, what the store holds, and what the gateways saw: nothing lost or done twice.

The invariants, by number: 1 what was answered 200 is stored; 2 once, with its effects once; 3 handled in the order of
its thread; 4 all messages of an event come from one run of its handler; 5 every message has one end, `sent` means
that the gateway took it, and more than one call means that an outcome was unknown; 6 the gateway saw each thread's
messages in order; 7 nothing is left open.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from bridge.providers.relationlabs import wire
from tests.faults.harness import BEARER, PASSWORD

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Mapping, Sequence

    from bridge.emulation.server import EmulatorServer
    from tests.faults.harness import Gateways, Home
    from tests.faults.traffic import Traffic

    Rows = Sequence[Mapping[str, Any]]


_NO_FOLLOWER = "account NOT LIKE ':events:%'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What there was, for the report."""

    acked: int
    stored: int
    turns: int
    dead: int
    messages: int
    calls: int
    unknown: int
    doubles_keyed: int
    doubles_unkeyed: int

    def __str__(self) -> str:
        return (
            f"{self.acked} answered 200, {self.stored} stored, {self.turns} turns, {self.dead} dead, "
            f"{self.messages} messages, {self.calls} calls, {self.unknown} unknown outcomes, seen twice: "
            f"{self.doubles_keyed} (keys honoured), {self.doubles_unkeyed} (not honoured)"
        )


def check(home: Home, talk: Traffic, gateways: Gateways, *, dead: Collection[str] = (), noted: bool = True) -> Counts:
    """Raise AssertionError with every violation; `dead` are the texts that must have been given up.

    Call it when the store has settled. Where it was not `noted` what ran at a crash, a repetition needs no outcome
    that is unknown.
    """
    with home.reading() as db:
        inbox = _rows(db, "SELECT * FROM inbox ORDER BY seq")
        outbox = _rows(db, f"SELECT * FROM outbox WHERE {_NO_FOLLOWER} ORDER BY seq")
        threads = _rows(db, f"SELECT * FROM threads WHERE {_NO_FOLLOWER}")
        own = f"SELECT id FROM outbox WHERE {_NO_FOLLOWER}"
        attempts = _rows(db, f"SELECT outbox_id, outcome FROM attempts WHERE outbox_id IN ({own})")
        integrity = db.execute("PRAGMA quick_check").fetchone()[0]
    wrong = [] if integrity == "ok" else [f"SQLite: {integrity}"]
    texts = {key: said.text for key, said in talk.said.items()}
    wrong += _check_inbox(inbox, talk, texts, dead)
    wrong += _check_effects(inbox, outbox, threads, texts)
    wrong += _check_runs(home, inbox, texts)
    unknown = Counter(row["outbox_id"] for row in attempts if row["outcome"] == "unknown")
    calls = Counter[str]()
    doubles = {}
    for account, server in (("shop", gateways.shop), ("relay", gateways.relay)):
        messages = [row for row in outbox if row["account"] == account]
        wrong += _check_gateway(server, messages, unknown if noted else None)
        calls += _calls(server)
        seen = Counter(each.key for each in server.emulator.seen)
        doubles[account] = sum(count - 1 for count in seen.values())
    if gateways.konnek.honours_keys and doubles["shop"]:
        wrong.append(f"{doubles['shop']} messages were seen twice where keys are honoured")
    wrong += [f"a secret in the log: {secret}" for secret in (BEARER, PASSWORD) if secret in home.log]
    assert not wrong, f"{len(wrong)} violations:\n" + "\n".join(wrong[:20]) + f"\n--- log\n{home.log[-3000:]}"
    return Counts(
        acked=len(talk.acked),
        stored=len(inbox),
        turns=sum(row["status"] == "done" for row in inbox),
        dead=sum(row["status"] == "dead" for row in inbox),
        messages=len(outbox),
        calls=calls.total(),
        unknown=unknown.total(),
        doubles_keyed=doubles["shop"] if gateways.konnek.honours_keys else 0,
        doubles_unkeyed=doubles["relay"] + (0 if gateways.konnek.honours_keys else doubles["shop"]),
    )


def _rows(db: sqlite3.Connection, query: str) -> Rows:
    cursor = db.execute(query)
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor]


def _check_inbox(inbox: Rows, talk: Traffic, texts: Mapping[tuple[str, str], str], dead: Collection[str]) -> list[str]:
    stored = Counter((row["account"], row["event_key"]) for row in inbox)
    wrong = [f"I1: answered 200 and not stored: {texts[key]}" for key in talk.acked if key not in stored]
    wrong += [f"I2: stored {count} times: {key}" for key, count in stored.items() if count > 1]
    wrong += [f"stored and never said: {key}" for key in stored if key not in texts]
    for row in inbox:
        text = texts.get((row["account"], row["event_key"]), "?")
        expected = "dead" if text in dead else "done"
        if row["status"] != expected:
            wrong.append(f"I7: {text} is {row['status']} and not {expected} ({row['error']})")
    return wrong


def _check_effects(inbox: Rows, outbox: Rows, threads: Rows, texts: Mapping[tuple[str, str], str]) -> list[str]:
    """Each event's messages, by what the bot wrote into them: text, count in the thread, mark of the run, part."""
    wrong = []
    said: dict[int, list[list[str]]] = defaultdict(list)
    for row in outbox:
        said[row["inbox_id"]].append(orjson.loads(row["message"])["text"].split("|"))
    turns = Counter[int]()
    for row in inbox:
        text = texts.get((row["account"], row["event_key"]), "?")
        turns[row["thread_id"]] += row["status"] == "done"
        if row["status"] == "dead":
            wrong += [f"I2: {text} is dead and has messages"] if said[row["id"]] else []
            continue
        if not text.startswith(("say ", "pair ")):
            continue
        wanted = 2 if text.startswith("pair ") else 1
        found = said[row["id"]]
        if [(parts[0], parts[3]) for parts in found] != [(text, str(part)) for part in range(wanted)]:
            wrong.append(f"I2: {text} has the messages {found}")
        if len({(parts[1], parts[2]) for parts in found}) != 1:
            wrong.append(f"I4: {text} has messages of several runs: {found}")
    for row in threads:
        if row["version"] != turns[row["id"]]:
            wrong.append(f"I2: thread {row['id']} has version {row['version']} after {turns[row['id']]} turns")
    return wrong + _check_counts(inbox, said)


def _check_counts(inbox: Rows, said: Mapping[int, list[list[str]]]) -> list[str]:
    """I3 and I2 at once: the n-th turn of a thread that counts says n, and the counts follow the events' order."""
    wrong = []
    counted = Counter[int]()
    for row in inbox:
        for _, count, *_ in (parts for parts in said[row["id"]][:1] if len(parts) > 1):
            counted[row["thread_id"]] += 1
            if int(count) != counted[row["thread_id"]]:
                wrong.append(f"I3: turn {counted[row['thread_id']]} of thread {row['thread_id']} counted {count}")
    return wrong


def _check_runs(home: Home, inbox: Rows, texts: Mapping[tuple[str, str], str]) -> list[str]:
    """I3 as the bot saw it: a run may be repeated, but no event is begun before its predecessors in the thread."""
    place = {texts.get((row["account"], row["event_key"]), "?"): (row["thread_id"], row["seq"]) for row in inbox}
    latest: dict[int, int] = {}
    wrong = []
    for text in home.handled_texts():
        if text not in place:
            wrong.append(f"I1: handled and not stored: {text}")
            continue
        thread_id, seq = place[text]
        if seq < latest.get(thread_id, 0):
            wrong.append(f"I3: {text} was begun after a later one of its thread")
        latest[thread_id] = max(seq, latest.get(thread_id, 0))
    return wrong


def _check_gateway(server: EmulatorServer, outbox: Rows, unknown: Mapping[int, int] | None) -> list[str]:
    calls = _calls(server)
    first_seen = {key: at for at, key in reversed(list(enumerate(each.key for each in server.emulator.seen)))}
    wrong = []
    latest: dict[int, int] = {}
    for row in outbox:
        key, thread_id = row["key"], row["thread_id"]
        if row["status"] != "sent":
            wrong.append(f"I5: message {row['id']} is {row['status']} ({row['error']})")
        elif key not in first_seen:
            wrong.append(f"I5: message {row['id']} is sent, and the gateway never saw it")
        elif first_seen[key] < latest.get(thread_id, -1):
            wrong.append(f"I6: message {row['id']} was seen before an earlier one of its thread")
        if unknown is not None and calls[key] > 1 + unknown[row["id"]]:
            wrong.append(f"I5: message {row['id']} was sent {calls[key]} times with {unknown[row['id']]} unknowns")
        latest[thread_id] = max(first_seen.get(key, -1), latest.get(thread_id, -1))
    keys = {row["key"] for row in outbox}
    return wrong + [f"I5: the gateway saw {key}, which is no message of ours" for key in first_seen.keys() - keys]


def _calls(server: EmulatorServer) -> Counter[str]:
    """How often each of our keys was sent, whatever the gateway made of it."""
    found = Counter[str]()
    for request, _ in server.emulator.requests:
        told = orjson.loads(request.body or b"{}")
        key = told.get("id") or wire.key_of(told.get("sendUuid", ""))
        found[str(key)] += 1
    return found
