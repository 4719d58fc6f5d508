"""The commands of `threadbridge`: one list here, one module for each command or group of commands."""

from __future__ import annotations

from typing import Annotated, Any, Final

import typer

from bridge.cli.commands import Entry, Group, Listed

COMMANDS: Final = {
    "Serve": (
        Entry("demo", "serve:demo", "Chat with a bot in the browser: no account, no key, no configuration."),
        Entry("run", "serve:run", "Serve: take webhooks, run the handlers, send the replies."),
        Entry(
            "deploy",
            "deploy:deploy",
            "Replace a running bridge by what is installed now, without a connection refused.",
        ),
        Entry("dev", "dev:dev", "Work on a bot: emulated gateways, the console, and a restart at every change."),
    ),
    "Set up": (
        Entry("init", "project:init", "Begin a project: a configuration, a bot, and a test that passes."),
        Entry("check", "check:check", "Check the configuration, the handlers and the store without starting them."),
        Entry(
            "doctor",
            "doctor:doctor",
            "Examine a bridge: what `check` sees, and a live look at store, disk, clock, certificate and gateways.",
        ),
        Entry(
            "test-replies",
            "replies:hold_conversations",
            "Hold conversations written as plain text with the bot, and show what differs.",
        ),
        Entry("urls", "urls:urls", "Print the webhook URL of each account, to paste into the provider's page."),
        Entry(
            "schema",
            "project:schema",
            "Print the JSON Schema of threadbridge.toml, by which an editor completes keys and marks mistakes.",
        ),
        Entry("migrate", "store:migrate", "Create the store, or migrate its schema to this version."),
        Entry("backup", "backup:backup", "Back the conversations up into one file, also while the bridge runs."),
        Entry(
            "restore",
            "backup:restore",
            "Make the store out of a backup, and hold back messages that may have been sent since.",
        ),
        Entry("prune", "prune:prune", "Remove what is older than [retention] says, now."),
        Entry("keys", "keys:keys", "Make a key for encryption at rest, and bring all values under the newest."),
        Entry("copy", "copy:copy", "Move house: copy a store into another database, whole and verified."),
        Entry(
            "emulate", "emulate:emulate", "Emulate a provider, as strict as its documentation, with faults on demand."
        ),
        Entry("webhooks", "webhooks:webhooks", "Register webhook URLs at providers that have an API for it."),
        Entry(
            "bench",
            "bench:bench",
            "Measure how fast the bridge is on this machine, as ratios of servers that run beside it.",
        ),
    ),
    "Look inside": (
        Entry("status", "status:status", "Show what waits at each account, and whether the bridge is ready."),
        Entry("threads", "threads:threads", "List the conversations, the latest first."),
        Entry(
            "trace",
            "trace:trace",
            "Show the way of one event or message, from its webhook to each try and its fate.",
        ),
        Entry("send", "send:send", "Send a message to a contact or group, which need not have written."),
        Entry(
            "broadcast",
            "broadcast:broadcast",
            "Send a message to many contacts, each of whom gets it once whatever stops it.",
        ),
        Entry(
            "broadcasts",
            "broadcasts:broadcasts",
            "List and report on broadcasts, and pause, resume and cancel them.",
        ),
        Entry("handoff", "handoff:handoff", "Hand a conversation to a person; the bot stays silent until its return."),
        Entry("return", "handoff:return_", "Return a conversation to the bot, with the events that it missed."),
        Entry(
            "erase",
            "erase:erase",
            "Erase a person: all of their conversations, and what is known of them.",
        ),
        Entry("explain", "explain:explain", "Show what a message becomes on each channel, without sending it."),
        Entry("contacts", "contacts:contacts", "List, show, merge, unmerge, export and erase the people who write."),
        Entry("dead", "dead:dead", "List, show, replay and drop dead letters and quarantined webhooks."),
        Entry(
            "replay",
            "replay:replay",
            "Run recorded conversations through handlers, and show what they would say instead.",
        ),
        Entry("capture", "capture:capture", "Print a conversation as a test of the bot that fails as production did."),
        Entry(
            "mcp",
            "mcp:mcp",
            "Serve a coding assistant over MCP: conversations, traces, dead letters, and failing tests of them.",
        ),
        Entry("jobs", "jobs:jobs", "List the bot's jobs with their times, and run one now."),
        Entry("spending", "spending:spending", "Show what steps spent of each budget, in its day or month."),
        Entry("dialogs", "dialogs:dialogs", "List waiting dialogs, check them against changed code, and end one."),
    ),
}
"""Panel by panel, as `threadbridge --help` lists them. A command's help begins with the same sentence."""


class _Root(Group):
    """Every command, listed and not imported."""

    def __init__(self, **attributes: Any) -> None:  # noqa: ANN401 - typer's own
        super().__init__(**attributes)
        for panel, entries in COMMANDS.items():
            for entry in entries:
                self.add_command(Listed(entry, panel))


app = typer.Typer(
    name="threadbridge",
    cls=_Root,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,  # a traceback with local variables would print secrets
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version  # noqa: PLC0415 - no other option reads the distribution

        typer.echo(f"threadbridge {version('threadbridge')}")
        raise typer.Exit


@app.callback()
def about(
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Durable conversations over five messaging gateways: webhooks in, handlers in order, replies out.

    Begin with `threadbridge demo`: it needs no account and no configuration.

    Exit codes: 0 ok, 1 not found or refused, 2 usage, 69 provider failed, 70 store broken, 71 no address to listen on,
    73 store in use, 74 output lost, 78 configuration, 141 the reader of the output is gone.
    """
