"""The families of metrics: their names, help and labels. Each label takes its values from a closed set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal


@dataclass(frozen=True, slots=True)
class Family:
    """One metric. `name` is as it is scraped; `shared`: the store tells it, and every worker tells the same."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()
    shared: bool = False


BUILD = Family("threadbridge_build_info", "gauge", "1; the version is a label.", ("version", "python"))
READY = Family("threadbridge_ready", "gauge", "1 while webhooks are stored.")
PROCESSES = Family("threadbridge_processes", "gauge", "Processes that share the store.", shared=True)
WEBHOOKS = Family(
    "threadbridge_webhooks_total", "counter", "Answers to webhooks, by HTTP status.", ("account", "status")
)
EVENTS = Family(
    "threadbridge_events_total",
    "counter",
    "Events from webhooks and polling; receipt: stored, repeated, conflict or quarantined.",
    ("account", "channel", "kind", "receipt"),
)
TURNS = Family("threadbridge_turns_total", "counter", "Events that had their turn, by outcome.", ("account", "outcome"))
TURN_SECONDS = Family(
    "threadbridge_turn_seconds", "histogram", "From the begin of a turn to its commit or failure.", ("account",)
)
MESSAGES = Family(
    "threadbridge_messages_total",
    "counter",
    "Messages that came to their end: sent, given up, or held back for a reason.",
    ("account", "outcome"),
)
ATTEMPTS = Family("threadbridge_attempts_total", "counter", "Tries to send a message.", ("account", "outcome"))
ATTEMPT_SECONDS = Family(
    "threadbridge_attempt_seconds",
    "histogram",
    "How long the gateway took for the requests of a try; waits for a rate or a connection do not count.",
    ("account",),
)
RETRIES = Family(
    "threadbridge_retries_total", "counter", "Turns and messages that are to be tried again.", ("account", "what")
)
GIVEN_UP = Family("threadbridge_given_up_total", "counter", "Events and messages given up.", ("account", "what"))
DEAD = Family(
    "threadbridge_dead_letters",
    "gauge",
    "Dead letters and quarantine that wait for a person.",
    ("account",),
    shared=True,
)
BACKLOG_EVENTS = Family("threadbridge_backlog_events", "gauge", "Events without a turn.", ("account",), shared=True)
BACKLOG_MESSAGES = Family("threadbridge_backlog_messages", "gauge", "Messages to be sent.", ("account",), shared=True)
BACKLOG_AGE = Family(
    "threadbridge_backlog_age_seconds",
    "gauge",
    "Age of what has waited longest; 0: nothing does.",
    ("account",),
    shared=True,
)
PAUSED = Family(
    "threadbridge_account_paused", "gauge", "1 while the gateway takes nothing of an account.", ("account",)
)
HANDLERS_PAUSED = Family("threadbridge_handlers_paused", "gauge", "Handlers that fail for everybody, and wait.")
MEDIA = Family("threadbridge_media_total", "counter", "Fetches of media, by outcome.", ("account", "outcome"))
GUARD = Family(
    "threadbridge_guard_total",
    "counter",
    "Conversations held for a loop, and contacts slowed down.",
    ("account", "guard"),
)
TOKEN = Family(
    "threadbridge_token_expiry_seconds",
    "gauge",
    "Until a token ends (token=configured: a person renews it) or is renewed (token=obtained).",
    ("account", "token"),
)
COMMIT_SECONDS = Family("threadbridge_store_commit_seconds", "histogram", "How long a transaction took.")
COMMIT_UNITS = Family("threadbridge_store_batch_units", "histogram", "Units of work in one transaction.")
COMMIT_FAILED = Family("threadbridge_store_failed_total", "counter", "Transactions that came to nothing.")
STORE_WAITING = Family("threadbridge_store_queue_units", "gauge", "Units of work that wait for a transaction.")
STORE_REACHED = Family("threadbridge_store_reached", "gauge", "1 while every store answers.")
DISK = Family(
    "threadbridge_disk_free_bytes", "gauge", "Free on the disk of the database, where it is a file.", shared=True
)
LAG = Family("threadbridge_loop_lag_seconds", "histogram", "How much later than it should the event loop went on.")
BLOCKED = Family("threadbridge_loop_blocked_total", "counter", "How often the event loop stood still for a second.")
ALERTS = Family("threadbridge_alerts_total", "counter", "Alerts, by what became of them.", ("outcome",))

FAMILIES: Final = tuple(value for value in list(globals().values()) if isinstance(value, Family))
"""All of them, in their order."""
EXTENSIONS: Final = {"histogram": ("_bucket", "_sum", "_count"), "counter": ("",), "gauge": ("",)}
"""What a family's name is followed by in its samples."""
