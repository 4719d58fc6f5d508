"""`threadbridge init` and `schema`: a project to begin with, and what an editor wants to know of its configuration."""

from __future__ import annotations

import json
import shlex
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import Annotated, Final

import typer

from bridge.cli.output import complain, exits, leave, say

_CONFIGURATION: Final = """\
#:schema ./threadbridge.schema.json
# Each key is explained in docs/reference/configuration.md of threadbridge; `threadbridge check` finds mistakes.

[handlers]
load = ["bot"]

[accounts.playground]  # `threadbridge dev --open` chats with it in the browser
provider = "playground"

# A real account. Put each secret into its file, and `threadbridge urls` prints the URL for the provider's page.
# [server]
# public_url = "https://bot.example.org"
#
# [accounts.shop]
# provider = "whautochat"
# api_key = "file:secrets/whautochat-key"
# workspace_id = "w-1"
#
# [accounts.shop.inbound]
# secret = "file:secrets/whautochat-inbound"
"""

_BOT: Final = '''\
"""A bot that greets, and takes an order."""

from bridge import Button, Buttons, Dialog, Router, Turn

router = Router()


@router.message(text=["hi", "hello", "menu"])
async def greet(turn: Turn) -> Buttons:
    return Buttons("Hello! What may it be?", [Button("order", "Order bread")])


@router.postback("order")
async def begin(turn: Turn) -> None:
    await turn.begin(order)


@router.dialog(version=1)
async def order(d: Dialog) -> str:
    loaves = await d.ask("How many loaves?", parse=int, retry="A number, please.")
    return f"Thank you! We bake {loaves} for you."


@router.default()
async def not_understood(turn: Turn) -> str:
    return 'Write "menu" to see what there is.'
'''

_TEST: Final = '''\
"""What people say to the bot, and what they see. The gateways are emulated, and no network is used."""

from bridge.testing import World


async def test_an_order(world: World) -> None:
    ann = world.contact("konnek", "whatsapp", "ann")
    await ann.says("hello")
    await ann.clicks("Order bread")
    await ann.says("a few")
    await ann.says("3")
    await world.settle()
    ann.saw("~number, please", "~bake 3")
'''

_PYTEST: Final = """\
[pytest]
pythonpath = .
threadbridge_router = bot:router
"""

_IGNORED: Final = """\
.venv/
__pycache__/
.pytest_cache/
secrets/
media/
*.db
*.db-*
*.db.*
"""


def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new folder, or an empty one.", show_default=False)],
) -> None:
    """Begin a project: a configuration, a bot, and a test that passes.

    A folder that is not empty is left as it is.

    Example: `threadbridge init shop`
    """
    with exits():
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            complain(f"{folder}: not empty; name a new folder, or an empty one")
            leave(1)
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in _files().items():
            (folder / name).write_text(text, "utf-8")
    say(f"{folder}: {', '.join(sorted(_files()))}")
    say("")
    say("Next:")
    say("")
    say(f"  cd {shlex.quote(str(folder))}")
    say("  threadbridge dev --open    # chat with the bot; it restarts when a file changes")
    say("  python3 -m pytest          # run its test, after `pip install pytest`")


def schema() -> None:
    """Print the JSON Schema of threadbridge.toml, by which an editor completes keys and marks mistakes.

    It knows the keys of every provider that is installed. A first line `#:schema ./threadbridge.schema.json` in the
    configuration tells an editor.

    Example: `threadbridge schema > threadbridge.schema.json`
    """
    typer.echo(schema_text(), nl=False)


def schema_text() -> str:
    """The schema as a file has it."""
    from bridge.config.json_schema import file_schema  # noqa: PLC0415 - `init --help` needs no schema

    return f"{json.dumps(file_schema(), indent=1, ensure_ascii=False)}\n"


def _files() -> dict[str, str]:
    return {
        ".gitignore": _IGNORED,
        "bot.py": _BOT,
        "pytest.ini": _PYTEST,
        "test_bot.py": _TEST,
        "threadbridge.schema.json": schema_text(),
        "threadbridge.toml": _CONFIGURATION,
    }
