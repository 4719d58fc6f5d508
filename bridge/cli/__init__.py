"""The commands of `threadbridge`, one file for each group."""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated

import typer

from bridge.cli import check, dead, dev, dialogs, emulate, explain, handoff, serve, store, threads, urls, webhooks
from bridge.cli.commands import Command, Group

app = typer.Typer(
    name="threadbridge",
    cls=Group,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,  # a traceback with local variables would print secrets
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
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

    Exit codes: 0 ok, 1 not there or refused, 2 usage, 69 no success at the provider, 70 store broken, 73 store in use,
    78 configuration.
    """


app.command(cls=Command, rich_help_panel="Serve")(serve.demo)
app.command(cls=Command, rich_help_panel="Serve")(serve.run)
app.command(cls=Command, rich_help_panel="Serve")(dev.dev)
app.command(cls=Command, rich_help_panel="Set up")(check.check)
app.command(cls=Command, rich_help_panel="Set up")(urls.urls)
app.add_typer(webhooks.webhooks, name="webhooks", rich_help_panel="Set up")
app.command(cls=Command, rich_help_panel="Set up")(store.migrate)
app.command(cls=Command, rich_help_panel="Set up")(emulate.emulate)
app.command(cls=Command, rich_help_panel="Look inside")(threads.threads)
app.command(cls=Command, rich_help_panel="Look inside")(handoff.handoff)
app.command("return", cls=Command, rich_help_panel="Look inside")(handoff.return_)
app.command(cls=Command, rich_help_panel="Look inside")(explain.explain)
app.add_typer(dead.dead, name="dead", rich_help_panel="Look inside")
app.add_typer(dialogs.dialogs, name="dialogs", rich_help_panel="Look inside")
