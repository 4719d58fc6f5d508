"""Loads the bot author's code: `module` (its `router`), `module:attribute` or `auto:FILE`, from its folder."""

from __future__ import annotations

import sys
import traceback
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bridge.errors import ConfigError, HandlerError, Problem
from bridge.own import author_module, make_way, own_module
from bridge.routing.router import Router
from bridge.text.spelling import hint

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_BRIDGE: Final = Path(__file__).resolve().parents[1]


_AUTO: Final = "auto"
_AUTORESPONDER: Final = "handlers.autoresponder"
_FILES: Final = (".toml", ".yaml", ".yml")
_HIDDEN: Final = "a module beside it is named bridge like threadbridge's own; rename it"


class _NotLoaded(Exception):
    """An entry of `handlers.load` that cannot be used; the text is the reason, in one line."""


def load_routers(entries: Sequence[str], folder: Path, *, file: str = "configuration") -> list[Router]:
    """The routers of `handlers.load`, in order. `folder` goes on sys.path, which makes its modules importable.

    Raises:
        ConfigError: a line for each entry that cannot be used, and for a module that hides `bridge`.
    """
    problems = [Problem(file, "handlers.load", _HIDDEN)] if _hides_bridge(folder) else []
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    make_way(folder)
    routers = []
    for number, entry in enumerate(entries):
        if entry in entries[:number]:
            problems.append(Problem(file, f"handlers.load[{number}]", f"{entry} is listed twice"))
            continue
        try:
            routers.append(_router(entry, folder))
        except _NotLoaded as error:
            problems.append(Problem(file, f"handlers.load[{number}]", str(error)))
        except ConfigError as error:
            problems += error.problems  # of the entry's own file, with lines
    if problems:
        raise ConfigError(problems)
    return routers


def _hides_bridge(folder: Path) -> bool:
    files = (folder / "bridge.py", folder / "bridge" / "__init__.py")
    return any(file.is_file() and file.resolve().parent != _BRIDGE for file in files)


def _router(entry: str, folder: Path) -> Router:
    module_name, separator, attribute = entry.partition(":")
    if module_name == _AUTO and attribute.endswith(_FILES):
        made: Router = own_module(_AUTORESPONDER).read_router(folder / attribute)
        return made
    if not all(part.isidentifier() for part in module_name.split(".")) or (separator and not attribute):
        raise _NotLoaded("want module, module:attribute or auto:FILE, like mybot:router or auto:replies.toml")
    module = _module(module_name, folder)
    path = attribute or "router"
    try:
        router = reduce(getattr, path.split("."), module)
    except AttributeError:
        routers = [name for name, value in vars(module).items() if isinstance(value, Router)]
        hint = f"; did you mean {module_name}:{routers[0]}?" if routers else ", and no Router under another name"
        raise _NotLoaded(f"{module_name} has no {path}{hint}") from None
    if not isinstance(router, Router):
        raise _NotLoaded(f"{module_name}:{path} is no Router but of type {type(router).__name__}")
    return router


def _module(name: str, folder: Path) -> object:
    try:
        return author_module(name)
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(f"{error.name}.")):
            raise _NotLoaded(_missing(name, folder)) from None
        raise _NotLoaded(_raised(name, error, folder)) from error
    except HandlerError as error:
        raise _NotLoaded(_one_line(error)) from error
    except (Exception, SystemExit) as error:
        raise _NotLoaded(_raised(name, error, folder)) from error


def _missing(name: str, folder: Path) -> str:
    here = [path.stem for path in folder.glob("*.py")]
    return f"there is no module {name}; {hint(name, here, f'looked in {folder}')}"


def _raised(name: str, error: BaseException, folder: Path) -> str:
    """The error of an import, and its line: the author's deepest one, else the deepest."""
    if isinstance(error, SyntaxError):
        return f"{name} is not Python: {error.filename}:{error.lineno}: {error.msg}"
    lines = [
        (frame.f_code.co_filename, line)
        for frame, line in traceback.walk_tb(error.__traceback__)
        if str(frame.f_globals.get("__name__")).partition(".")[0] != "importlib"
    ]
    own = [(file, line) for file, line in lines if Path(file).is_relative_to(folder)]
    file, number = (own or lines)[-1]
    where = f" at {file}:{number}" if len(lines) > 1 else ""
    text = f": {_one_line(error)}" if str(error) else ""
    return f"importing {name} raises {type(error).__name__}{where}{text}"


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())


def named_function(name: str) -> Callable[..., Any]:
    """The function "module:qualname".

    Raises:
        HandlerError: it does not exist any more.
    """
    module, _, path = name.partition(":")
    try:
        function: object = reduce(getattr, path.split("."), author_module(module))
    except (ImportError, AttributeError) as error:
        raise HandlerError(f"the timer's handler {name} is not there any more: {error}") from None
    if not callable(function):
        raise HandlerError(f"the timer's handler {name} is no function")
    return function
