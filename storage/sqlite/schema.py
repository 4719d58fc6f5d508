"""The SQLite schema, as the list of migrations that lead to it. A migration, once released, never changes."""

from __future__ import annotations

from typing import Final

APPLICATION_ID: Final = 0x74627267
"""Marks a database file as ours: "tbrg"."""
UNFINISHED: Final = "unfinished_copy"
"""The table of a file that is a copy on its way; see bridge.store.copying."""

_INITIAL: Final = """
CREATE TABLE threads (
    id INTEGER PRIMARY KEY,
    account TEXT NOT NULL,
    provider TEXT NOT NULL,
    channel TEXT NOT NULL,
    conversation TEXT NOT NULL,
    contact BLOB,
    state BLOB NOT NULL DEFAULT (CAST('{}' AS BLOB)),
    step TEXT,
    version INTEGER NOT NULL DEFAULT 0,
    choices BLOB NOT NULL DEFAULT (CAST('[]' AS BLOB)),
    address BLOB NOT NULL DEFAULT (CAST('{}' AS BLOB)),
    last_heard INTEGER,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    UNIQUE (account, channel, conversation)
) STRICT;

CREATE TABLE inbox (
    id INTEGER PRIMARY KEY,
    account TEXT NOT NULL,
    event_key TEXT NOT NULL,
    thread_id INTEGER REFERENCES threads (id),
    seq INTEGER NOT NULL,
    kind TEXT NOT NULL,
    event BLOB NOT NULL,
    raw BLOB NOT NULL,
    channel TEXT,
    address BLOB,
    status TEXT NOT NULL,
    attempt INTEGER NOT NULL DEFAULT 0,
    replay INTEGER NOT NULL DEFAULT 0,
    available_at INTEGER NOT NULL DEFAULT 0,
    error TEXT,
    received_at INTEGER NOT NULL,
    done_at INTEGER,
    UNIQUE (account, event_key)
) STRICT;
CREATE INDEX inbox_work ON inbox (thread_id, seq) WHERE status = 'open';
CREATE INDEX inbox_dead ON inbox (id) WHERE status IN ('dead', 'quarantined');
CREATE INDEX inbox_history ON inbox (thread_id, id);

CREATE TABLE outbox (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    account TEXT NOT NULL,
    thread_id INTEGER NOT NULL REFERENCES threads (id),
    inbox_id INTEGER,
    seq INTEGER NOT NULL,
    kind TEXT NOT NULL,
    message BLOB NOT NULL,
    given_up BLOB,
    address BLOB,
    status TEXT NOT NULL,
    outcome TEXT,
    delivery TEXT,
    delivery_error TEXT,
    message_id TEXT,
    attempt INTEGER NOT NULL DEFAULT 0,
    available_at INTEGER NOT NULL DEFAULT 0,
    expires_at INTEGER,
    error TEXT,
    created_at INTEGER NOT NULL,
    done_at INTEGER
) STRICT;
CREATE INDEX outbox_work ON outbox (thread_id, seq) WHERE status = 'open';
CREATE INDEX outbox_dead ON outbox (id) WHERE status = 'dead';
CREATE INDEX outbox_history ON outbox (thread_id, id);
CREATE INDEX outbox_message_id ON outbox (account, message_id) WHERE message_id IS NOT NULL;

CREATE TABLE attempts (
    id INTEGER PRIMARY KEY,
    outbox_id INTEGER NOT NULL REFERENCES outbox (id),
    attempt INTEGER NOT NULL,
    at INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    reason TEXT,
    exchange BLOB
) STRICT;
CREATE INDEX attempts_of ON attempts (outbox_id);

CREATE TABLE timers (
    id INTEGER PRIMARY KEY,
    thread_id INTEGER NOT NULL REFERENCES threads (id),
    name TEXT NOT NULL,
    due_at INTEGER NOT NULL,
    set_at INTEGER NOT NULL,
    unless TEXT,
    message BLOB,
    handler TEXT,
    arguments BLOB NOT NULL,
    status TEXT NOT NULL DEFAULT 'waiting'
) STRICT;
CREATE INDEX timers_due ON timers (due_at) WHERE status = 'waiting';
CREATE INDEX timers_named ON timers (thread_id, name) WHERE status = 'waiting';

CREATE TABLE early_statuses (
    account TEXT NOT NULL,
    message_id TEXT NOT NULL,
    inbox_id INTEGER NOT NULL REFERENCES inbox (id),
    value TEXT NOT NULL,
    error TEXT NOT NULL,
    wanted INTEGER NOT NULL,
    PRIMARY KEY (account, message_id, inbox_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE cursors (
    account TEXT NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (account, name)
) STRICT, WITHOUT ROWID;
"""

_BY_TIME: Final = """
CREATE INDEX inbox_open ON inbox (seq) WHERE status = 'open';
CREATE INDEX outbox_open ON outbox (seq) WHERE status = 'open';
UPDATE outbox SET done_at = created_at WHERE status = 'dead' AND done_at IS NULL;
DROP INDEX inbox_dead;
DROP INDEX outbox_dead;
CREATE INDEX inbox_dead ON inbox (done_at, id, account, status) WHERE status IN ('dead', 'quarantined');
CREATE INDEX outbox_dead ON outbox (done_at, id, account, status) WHERE status = 'dead';
"""
"""What waits, oldest first, so that a backlog of a million is taken up page by page; and dead letters, newest first."""

_DIALOGS: Final = """
ALTER TABLE threads ADD COLUMN heard INTEGER NOT NULL DEFAULT 0;
ALTER TABLE threads ADD COLUMN dialog BLOB;
ALTER TABLE threads ADD COLUMN note TEXT;
CREATE INDEX threads_dialog ON threads (id) WHERE dialog IS NOT NULL;
CREATE INDEX inbox_held ON inbox (thread_id, seq) WHERE status = 'held';
ALTER TABLE timers ADD COLUMN since INTEGER NOT NULL DEFAULT 0;
DROP INDEX timers_named;
CREATE INDEX timers_named ON timers (thread_id, name) WHERE status IN ('waiting', 'due');
CREATE TABLE steps (
    thread_id INTEGER NOT NULL REFERENCES threads (id),
    run TEXT NOT NULL,
    position INTEGER NOT NULL,
    call TEXT NOT NULL,
    key TEXT NOT NULL,
    at INTEGER NOT NULL,
    result BLOB,
    PRIMARY KEY (thread_id, run, position, call)
) STRICT, WITHOUT ROWID;
"""
"""Dialogs, what they have done so far, and the person who has a thread; timers that can be cancelled while due."""

_OWN_KEYS: Final = """
ALTER TABLE timers ADD COLUMN model TEXT;
UPDATE inbox SET event_key = 'gateway:' || event_key
WHERE (event_key GLOB 'timer:*' AND kind <> 'timer')
    OR (event_key GLOB 'by hand:*' AND kind NOT IN ('handoff', 'returned'))
    OR (event_key GLOB 'quarantine:*' AND kind <> 'webhook')
    OR event_key GLOB 'conflict:*' OR event_key GLOB 'replayed:*' OR event_key GLOB 'gateway:*';
UPDATE inbox SET event_key = 'conflict:' || event_key
WHERE status = 'quarantined' AND error GLOB 'the event key * is known with another content' AND event_key GLOB '*#*';
"""
"""The function of a timer sees the state as whoever set it. A gateway's event key is never one of ours: OWN_KEYS."""

_SPOKEN: Final = """
ALTER TABLE threads ADD COLUMN spoken INTEGER NOT NULL DEFAULT 0;
ALTER TABLE threads ADD COLUMN silenced INTEGER NOT NULL DEFAULT 0;
ALTER TABLE threads ADD COLUMN taken INTEGER NOT NULL DEFAULT 0;
CREATE INDEX threads_held ON threads (updated_at, id) WHERE note IS NOT NULL;
"""
"""When a person took a thread, which messages that silences, and whether the gateway says that a person has it."""

_SECRETS: Final = """
CREATE TABLE secrets (
    account TEXT NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (account, name)
) STRICT, WITHOUT ROWID;
INSERT INTO secrets SELECT account, name, value FROM cursors
WHERE (account = '' AND name = 'postback secret') OR name GLOB 'postback [0-9]*';
DELETE FROM cursors WHERE (account = '' AND name = 'postback secret') OR name GLOB 'postback [0-9]*';
"""
"""What signs postback keys, and the keys too long for their channel: out of the polling cursors."""

_FORMER_KEYS: Final = """
INSERT INTO cursors SELECT '', 'former keys until', received_at FROM inbox ORDER BY id DESC LIMIT 1;
"""
"""When the last event arrived whose key does not hold its conversation; a new file has none."""

_TRIED: Final = """
ALTER TABLE inbox ADD COLUMN tried_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE outbox ADD COLUMN tried_at INTEGER NOT NULL DEFAULT 0;
"""
"""When a row failed last: with that, a wait that was written down while the clock was ahead is known for what it is."""

_HELD_TIMERS: Final = "ALTER TABLE timers ADD COLUMN held INTEGER;"
"""Timers that have their turns while a person has the thread."""

_MEMBERS: Final = "ALTER TABLE threads ADD COLUMN members BLOB;"
"""What a thread remembers of each of its members."""

_TRACE: Final = """
ALTER TABLE inbox ADD COLUMN trace TEXT;
"""
"""Where in the author's code the event of a dead letter failed."""

_SEGMENTS: Final = """
CREATE INDEX inbox_past ON inbox (id >> 16, thread_id);
CREATE INDEX outbox_past ON outbox (id >> 16, thread_id);
CREATE INDEX outbox_named ON outbox (id >> 16, account, message_id) WHERE message_id IS NOT NULL;
CREATE INDEX threads_latest ON threads (account, updated_at);
DROP INDEX inbox_history;
DROP INDEX outbox_history;
DROP INDEX outbox_message_id;
"""
"""A new row finds its place in the past among the newest; see storage.sqlite.segments. The latest threads, by account.
"""

_FAIR_TIMERS: Final = """
ALTER TABLE timers ADD COLUMN account TEXT;
UPDATE timers SET account = (SELECT account FROM threads WHERE id = thread_id) WHERE status IN ('waiting', 'due');
DROP INDEX timers_due;
CREATE INDEX timers_due ON timers (account, due_at) WHERE status = 'waiting';
"""
"""Timers by account: many that are due in one hold up none of another."""

_OPTED_OUT: Final = "ALTER TABLE threads ADD COLUMN opted_out INTEGER NOT NULL DEFAULT 0;"
"""The event with which a contact opted out of messages."""

_AUTHORS: Final = """
CREATE TABLE migrations (
    number INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    digest TEXT NOT NULL,
    applied_at INTEGER NOT NULL
) STRICT;
"""
"""Which of the author's own migrations are applied."""

_MEDIA: Final = """
CREATE TABLE media (
    id INTEGER PRIMARY KEY,
    account TEXT NOT NULL,
    thread_id INTEGER NOT NULL REFERENCES threads (id),
    inbox_id INTEGER REFERENCES inbox (id),
    status TEXT NOT NULL,
    kind TEXT NOT NULL,
    url TEXT NOT NULL DEFAULT '',
    attempt INTEGER NOT NULL DEFAULT 1,
    available_at INTEGER NOT NULL DEFAULT 0,
    queued_at INTEGER NOT NULL,
    sha256 TEXT,
    size INTEGER,
    mime_type TEXT,
    error TEXT,
    done_at INTEGER
) STRICT;
CREATE INDEX media_due ON media (account, available_at) WHERE status = 'waiting';
CREATE INDEX media_of_event ON media (inbox_id) WHERE inbox_id IS NOT NULL;
CREATE INDEX media_of_thread ON media (thread_id) WHERE status IN ('waiting', 'kept', 'failed');
CREATE INDEX media_by_age ON media (queued_at) WHERE status IN ('waiting', 'kept', 'failed');
CREATE INDEX media_forgotten ON media (id) WHERE status = 'forgotten';
CREATE INDEX media_content ON media (sha256) WHERE status = 'kept';
"""
"""The files of contacts, and ours: where each is to be fetched, and which bytes it is."""

_PEOPLE: Final = """
CREATE TABLE contacts (
    id INTEGER PRIMARY KEY,
    account TEXT NOT NULL,
    merged_into INTEGER REFERENCES contacts (id),
    content BLOB NOT NULL DEFAULT (CAST('{"fields":{},"tags":[]}' AS BLOB)),
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
CREATE INDEX contacts_merged ON contacts (merged_into) WHERE merged_into IS NOT NULL;
CREATE TABLE identities (
    account TEXT NOT NULL,
    kind TEXT NOT NULL,
    value TEXT NOT NULL,
    contact_id INTEGER NOT NULL REFERENCES contacts (id),
    created_at INTEGER NOT NULL,
    PRIMARY KEY (account, kind, value)
) STRICT, WITHOUT ROWID;
CREATE INDEX identities_of_contact ON identities (contact_id);
CREATE INDEX identities_by_value ON identities (value);
CREATE TABLE conflicts (
    account TEXT NOT NULL,
    kind TEXT NOT NULL,
    value TEXT NOT NULL,
    contact_id INTEGER NOT NULL REFERENCES contacts (id),
    created_at INTEGER NOT NULL,
    PRIMARY KEY (contact_id, account, kind, value)
) STRICT, WITHOUT ROWID;
CREATE TABLE opt_outs (
    contact_id INTEGER NOT NULL REFERENCES contacts (id),
    account TEXT NOT NULL,
    event_id INTEGER NOT NULL,
    PRIMARY KEY (contact_id, account)
) STRICT, WITHOUT ROWID;
ALTER TABLE threads ADD COLUMN contact_id INTEGER REFERENCES contacts (id);
ALTER TABLE threads ADD COLUMN person BLOB;
ALTER TABLE threads ADD COLUMN named BLOB NOT NULL DEFAULT x'';
ALTER TABLE threads ADD COLUMN leads_to INTEGER REFERENCES threads (id);
ALTER TABLE threads ADD COLUMN lost BLOB;
CREATE INDEX threads_of_contact ON threads (contact_id) WHERE contact_id IS NOT NULL;

CREATE TEMP TABLE known AS
SELECT t.id, t.account, '+' || ltrim(json_extract(CAST(t.contact AS TEXT), '$.phone'), '+') AS phone
FROM threads t
WHERE t.contact IS NOT NULL AND json_valid(CAST(t.contact AS TEXT)) AND t.channel <> 'group'
    AND json_extract(CAST(t.contact AS TEXT), '$.phone') GLOB '*[0-9]*'
    AND ltrim(json_extract(CAST(t.contact AS TEXT), '$.phone'), '+') NOT GLOB '*[^0-9]*';
INSERT INTO contacts (id, account, created_at, updated_at)
SELECT k.id, t.account, t.created_at, t.created_at FROM (SELECT min(id) AS id FROM known GROUP BY account, phone) k
JOIN threads t ON t.id = k.id;
INSERT INTO identities (account, kind, value, contact_id, created_at)
SELECT k.account, 'phone', k.phone, min(k.id), 0 FROM known k GROUP BY k.account, k.phone;
UPDATE threads SET contact_id = (
    SELECT i.contact_id FROM known k JOIN identities i ON (i.account, i.kind, i.value) = (k.account, 'phone', k.phone)
    WHERE k.id = threads.id
) WHERE id IN (SELECT id FROM known);
INSERT INTO opt_outs (contact_id, account, event_id)
SELECT contact_id, account, max(opted_out) FROM threads WHERE contact_id IS NOT NULL AND opted_out > 0
GROUP BY contact_id, account;
UPDATE threads SET opted_out = (
    SELECT o.event_id FROM opt_outs o WHERE o.contact_id = threads.contact_id AND o.account = threads.account
) WHERE (contact_id, account) IN (SELECT contact_id, account FROM opt_outs);
DROP TABLE known;
"""
"""Who is on the other side. Of the threads from before, a phone number tells whose they are."""
_KEEP: Final = """
CREATE INDEX early_of ON early_statuses (inbox_id);
CREATE INDEX timers_of_thread ON timers (thread_id);
CREATE INDEX threads_leading ON threads (leads_to) WHERE leads_to IS NOT NULL;
CREATE TABLE tombstones (
    account TEXT NOT NULL,
    digest TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (account, digest)
) STRICT, WITHOUT ROWID;
CREATE INDEX tombstones_by_age ON tombstones (at);
"""
"""What is removed with a row, and with a thread; and that an event was here whose conversation is erased."""
_API: Final = """
CREATE TABLE audit (
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    who TEXT NOT NULL,
    what TEXT NOT NULL,
    account TEXT NOT NULL,
    target TEXT NOT NULL
) STRICT;
CREATE INDEX threadbridge_audit_latest ON audit (at, id);
CREATE INDEX threadbridge_audit_of_account ON audit (account, at, id);
ALTER TABLE timers ADD COLUMN inbox_id INTEGER;
CREATE INDEX threadbridge_timers_of_event ON timers (inbox_id) WHERE name = 'at';
"""
"""Who asked for a change; and whose turn keeps a message for later, so that a message is found by its event."""
_BROADCASTS: Final = """
CREATE TABLE broadcasts (
    id TEXT NOT NULL PRIMARY KEY,
    account TEXT NOT NULL,
    status TEXT NOT NULL,
    reason TEXT NOT NULL,
    content BLOB NOT NULL,
    bounds BLOB NOT NULL,
    base BLOB NOT NULL,
    begins_at INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX broadcasts_running ON broadcasts (begins_at) WHERE status = 'running';
CREATE INDEX broadcasts_over ON broadcasts (updated_at) WHERE status IN ('draft', 'done', 'cancelled');
CREATE INDEX broadcasts_latest ON broadcasts (created_at);
CREATE INDEX broadcasts_of_account ON broadcasts (account, created_at);
CREATE TABLE recipients (
    broadcast_id TEXT NOT NULL REFERENCES broadcasts (id),
    number INTEGER NOT NULL,
    contact TEXT NOT NULL,
    channel TEXT NOT NULL,
    conversation TEXT NOT NULL,
    fields BLOB NOT NULL,
    status TEXT NOT NULL,
    reason TEXT NOT NULL DEFAULT '',
    look_at INTEGER NOT NULL DEFAULT 0,
    thread_id INTEGER,
    outbox_id INTEGER,
    opted_out INTEGER NOT NULL DEFAULT 0,
    unanswered INTEGER NOT NULL DEFAULT 0,
    settled_at INTEGER,
    PRIMARY KEY (broadcast_id, number)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX recipients_once ON recipients (broadcast_id, channel, conversation);
CREATE INDEX recipients_standing ON recipients (broadcast_id, status, number);
CREATE INDEX recipients_released ON recipients (broadcast_id) WHERE status = 'released';
CREATE INDEX recipients_of_message ON recipients (outbox_id) WHERE outbox_id IS NOT NULL;
CREATE INDEX recipients_of_thread ON recipients (thread_id) WHERE thread_id IS NOT NULL;
CREATE INDEX recipients_opted_out ON recipients (broadcast_id) WHERE opted_out > 0;
CREATE INDEX recipients_unanswered ON recipients (broadcast_id, unanswered) WHERE unanswered > 0;
"""
"""One message for many contacts, and where that for each stands."""

MIGRATIONS: Final[tuple[str, ...]] = (
    _INITIAL,
    _BY_TIME,
    _DIALOGS,
    _OWN_KEYS,
    _SPOKEN,
    _SECRETS,
    _FORMER_KEYS,
    _TRIED,
    _HELD_TIMERS,
    _MEMBERS,
    _TRACE,
    _SEGMENTS,
    _FAIR_TIMERS,
    _OPTED_OUT,
    _AUTHORS,
    _MEDIA,
    _PEOPLE,
    _KEEP,
    _API,
    _BROADCASTS,
)
"""The n-th leads from schema version n to n + 1; each runs in one transaction."""
