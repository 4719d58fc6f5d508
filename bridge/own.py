"""threadbridge's own handlers and stores, beside an author's packages of the same names.

Installed, they are `threadbridge_handlers` and `threadbridge_storage`; in a source tree, `handlers` and `storage`.
There they leave these names to an author's packages.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.machinery import ModuleSpec
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from types import ModuleType

_PACKAGES: Final = ("handlers", "storage")
_PREFIX: Final = "threadbridge_"
_HOME: Final = Path(__file__).resolve().parents[1]


def own_module(name: str) -> ModuleType:
    """Threadbridge's own module `name`, like "storage.sqlite".

    Raises:
        ModuleNotFoundError: threadbridge has none of that name.
    """
    package = name.partition(".")[0]
    if (_HOME / f"{_PREFIX}{package}").is_dir():  # installed
        return import_module(f"{_PREFIX}{name}")
    if f"{_PREFIX}{package}" not in sys.modules:
        if _is_plain(package):
            return import_module(name)
        _load(f"{_PREFIX}{package}", _HOME / package)
    return import_module(f"{_PREFIX}{name}")


def author_module(name: str) -> ModuleType:
    """The module `name`; threadbridge's own where the author has none of that name.

    Raises:
        ModuleNotFoundError: neither has one, or the module itself imports something that is missing.
    """
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if name.partition(".")[0] not in _PACKAGES or not f"{name}.".startswith(f"{missing}."):
            raise
        try:
            return own_module(name)
        except ModuleNotFoundError as unknown:
            if unknown.name == _PREFIX + name:
                raise error from None
            raise


def make_way(folder: Path) -> None:
    """Leave the names of the packages to those in an author's `folder`, which is first on sys.path."""
    for package in _PACKAGES:
        theirs = folder / package
        is_regular = (theirs / "__init__.py").is_file() or theirs.with_suffix(".py").is_file()
        if theirs.resolve() == _HOME / package or not (is_regular or any(theirs.glob("*.py"))):
            continue
        if package in sys.modules and not _is_plain(package):
            continue
        for name in [name for name in sys.modules if name == package or name.startswith(f"{package}.")]:
            sys.modules[_PREFIX + name] = sys.modules.pop(name)
        if not is_regular:  # a regular package wins over it, wherever that is on sys.path
            spec = ModuleSpec(package, None, is_package=True)
            spec.submodule_search_locations = [str(theirs)]
            sys.modules[package] = module_from_spec(spec)


def lasting_name(value: object) -> str:
    """module:qualname of a function or class, the same wherever threadbridge's own modules are."""
    name = getattr(value, "__qualname__", type(value).__qualname__)
    return f"{str(getattr(value, '__module__', '?')).removeprefix(_PREFIX)}:{name}"


def _is_plain(package: str) -> bool:
    """Whether the plain name of a package of ours is its own here."""
    spec = sys.modules[package].__spec__ if package in sys.modules else find_spec(package)
    return spec is not None and str(_HOME / package) in (spec.submodule_search_locations or ())


def _load(name: str, folder: Path) -> None:
    spec = spec_from_file_location(name, folder / "__init__.py", submodule_search_locations=[str(folder)])
    assert spec is not None
    assert spec.loader is not None
    sys.modules[name] = module = module_from_spec(spec)
    spec.loader.exec_module(module)
