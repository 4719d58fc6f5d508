"""`threadbridge mcp`: a server for coding assistants, by the Model Context Protocol on the standard streams."""

from __future__ import annotations

import inspect
import signal
import sys
from contextlib import asynccontextmanager
from functools import wraps
from importlib.metadata import version
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bridge.cli.looking import OfDemo, OfDev, StoreUrl  # noqa: TC001 - typer reads the annotations
from bridge.cli.mcp_answers import Refused
from bridge.cli.output import CONFIGURATION, DEFAULT, ConfigFile, bot_at_work, complain, in_words, leave
from bridge.log.tracebacks import trace_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from mcp.server import MCPServer

    from bridge.cli.mcp_tools import Tool, Tools

Operate = Annotated[bool, typer.Option("--operate", help="Serve tools that replay and drop dead letters, too.")]


def mcp(
    config: ConfigFile = DEFAULT,
    operate: Operate = False,
    store: StoreUrl = None,
    dev: OfDev = False,
    demo: OfDemo = False,
) -> None:
    """Serve a coding assistant over MCP: conversations, traces, dead letters, and failing tests of them.

    A client starts this command, and speaks the Model Context Protocol over its standard streams. All tools only look,
    unless --operate is given. Answers hold the words of contacts, and the vendor of the assistant receives them.

    The command needs the package mcp: `pip install 'threadbridge[mcp]'`. It takes no lock, and works while the bridge
    runs.

    Example: `threadbridge mcp -c shop/threadbridge.toml`
    """
    if operate and (store or dev or demo):
        raise typer.BadParameter("it goes with the configured store, and not with --store, --dev or --demo")
    if find_spec("mcp") is None:
        complain("this needs the package mcp: pip install 'threadbridge[mcp]'")
        leave(CONFIGURATION)
    from bridge.cli.mcp_tools import Tools  # noqa: PLC0415 - most commands need none

    if sys.stdin.isatty():
        complain("waits for an MCP client on standard input; Ctrl-C ends it")
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Python would wait for the thread that reads standard input
    server_of(Tools(config, store, dev=dev, demo=demo), operate=operate).run()


def server_of(tools: Tools, *, operate: bool) -> MCPServer:
    """The server with its tools."""
    from mcp.server import MCPServer  # noqa: PLC0415 - an extra
    from mcp.types import ToolAnnotations  # noqa: PLC0415 - the same

    from bridge.cli.mcp_tools import INSTRUCTIONS  # noqa: PLC0415 - most commands need none

    server: MCPServer = MCPServer(
        "threadbridge",
        instructions=INSTRUCTIONS,
        version=version("threadbridge"),
        lifespan=_without_output,
        log_level="CRITICAL",  # its lines quote answers, which hold words of contacts
    )
    for tool in tools.looking():
        _add(server, tool, ToolAnnotations(read_only_hint=True))
    for tool in tools.operating() if operate else ():
        _add(server, tool, ToolAnnotations(read_only_hint=False, destructive_hint=True))
    return server


def _add(server: MCPServer, tool: Tool, annotations: Any) -> None:  # noqa: ANN401 - of an extra
    server.add_tool(_told(tool), description=inspect.getdoc(tool), annotations=annotations, structured_output=False)


def _told(tool: Tool) -> Tool:
    """The tool with its errors in words."""
    from mcp.server.mcpserver.exceptions import ToolError  # noqa: PLC0415 - an extra

    @wraps(tool)
    async def call(**arguments: Any) -> str:  # noqa: ANN401 - as the tool has them
        try:
            return await tool(**arguments)
        except (Refused, typer.BadParameter) as error:
            raise ToolError(str(error)) from None
        except Exception as error:  # noqa: BLE001 - the server goes on, and its own lines would quote contacts
            lines, _ = in_words(error)
            if not lines:
                complain(trace_of(error))
                lines = [f"{type(error).__name__}: a mistake of threadbridge's; standard error has its place"]
            raise ToolError("\n".join(lines)) from None

    return call


@asynccontextmanager
async def _without_output(_: MCPServer) -> AsyncIterator[None]:
    """Whatever prints, prints on standard error: the other stream belongs to the protocol."""
    with bot_at_work():
        yield
