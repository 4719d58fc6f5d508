"""The SQLite schema, as the list of migrations that lead to it. A migration, once released, never changes."""

from __future__ import annotations

from typing import Final

from .schema_of_conversations import CONVERSATIONS

APPLICATION_ID: Final = 0x74627267
"""Marks a database file as ours: "tbrg"."""
UNFINISHED: Final = "unfinished_copy"
"""The table of a file that is a copy on its way; see bridge.store.copying."""

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
_SPENDING: Final = """
CREATE TABLE step_spending (
    account TEXT NOT NULL,
    name TEXT NOT NULL,
    period TEXT NOT NULL,
    amount INTEGER NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (account, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX threadbridge_step_spending_by_age ON step_spending (at);
"""
"""What steps spent of each budget, in the latest period."""

_CRYPT: Final = """
CREATE TABLE encryption_keys (id TEXT PRIMARY KEY, secret TEXT NOT NULL, place TEXT NOT NULL DEFAULT '') STRICT;
"""
"""The keys under which values are encrypted, each with the store's own secret under it; how far a rotation is."""
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

_MESSAGE_KEYS: Final = """
CREATE TABLE outbox_without_key (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL,
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
    done_at INTEGER,
    tried_at INTEGER NOT NULL DEFAULT 0
) STRICT;
INSERT INTO outbox_without_key
SELECT id, key, account, thread_id, inbox_id, seq, kind, message, given_up, address, status, outcome, delivery,
       delivery_error, message_id, attempt, available_at, expires_at, error, created_at, done_at, tried_at
FROM outbox ORDER BY id;
DROP TABLE outbox;
ALTER TABLE outbox_without_key RENAME TO outbox;
CREATE UNIQUE INDEX outbox_keys ON outbox (id >> 16, key);
CREATE INDEX outbox_work ON outbox (thread_id, seq) WHERE status = 'open';
CREATE INDEX outbox_open ON outbox (seq) WHERE status = 'open';
CREATE INDEX outbox_dead ON outbox (done_at, id, account, status) WHERE status = 'dead';
CREATE INDEX outbox_past ON outbox (id >> 16, thread_id);
CREATE INDEX outbox_named ON outbox (id >> 16, account, message_id) WHERE message_id IS NOT NULL;
"""
"""Idempotency keys by segments, for they are random; the key of a table's own cannot be dropped. What is only once is
the event, in whose transaction its messages are said.
"""

MIGRATIONS: Final[tuple[str, ...]] = (
    *CONVERSATIONS,
    _PEOPLE,
    _KEEP,
    _API,
    _CRYPT,
    _SPENDING,
    _BROADCASTS,
    _MESSAGE_KEYS,
)
"""The n-th leads from schema version n to n + 1; each runs in one transaction."""
