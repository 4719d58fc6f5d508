"""The providers: our own by name, and others' by the entry point group `threadbridge.providers`.

A provider's folder is imported when an account asks for it and not before.
"""

from __future__ import annotations

from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, cast

from bridge.plugins import plugged_in
from bridge.text.spelling import hint

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bridge.providers.port import EmulatorType, ProviderType

GROUP: Final = "threadbridge.providers"
"""The entry point group; an entry is `name = "package.module:Class"`, the class a port.ProviderType."""

PLAYGROUND: Final = "playground"
BUILT_IN: Final[Mapping[str, str]] = MappingProxyType(
    {
        "aelyst": "bridge.providers.aelyst:Aelyst",
        "ginalne": "bridge.providers.ginalne:Ginalne",
        "konnek": "bridge.providers.konnek:Konnek",
        PLAYGROUND: "bridge.providers.playground:Playground",
        "relationlabs": "bridge.providers.relationlabs:RelationLabs",
        "whautochat": "bridge.providers.whautochat:WhautoChat",
    }
)
GATEWAYS: Final = tuple(sorted(BUILT_IN.keys() - {PLAYGROUND}))
"""Those of ours that speak to somebody elsewhere."""


def provider_names() -> tuple[str, ...]:
    """The names an account may give as its `provider`, sorted."""
    return tuple(sorted(_places()))


def provider_type(name: str) -> ProviderType:
    """The class behind a provider's name.

    Raises:
        LookupError: the name is unknown or cannot be imported; the text, meant for people, says which.
    """
    module, _, attribute = _place(name).partition(":")
    return cast("ProviderType", _imported(name, module, attribute))


def emulator_type(name: str) -> EmulatorType:
    """The class that plays the other end of a provider: `Emulator` in the module `emulator` of its folder.

    Raises:
        LookupError: the provider is unknown, or brings no emulator.
    """
    module, _, _ = _place(name).partition(":")
    return cast("EmulatorType", _imported(name, f"{module}.emulator", "Emulator"))


def _places() -> dict[str, str]:
    """Every name with its `module:Class`; no other package can replace ours."""
    return {name: entry.value for name, entry in plugged_in(GROUP).items()} | dict(BUILT_IN)


def _place(name: str) -> str:
    places = _places()
    if name in places:
        return places[name]
    raise LookupError(f"no such provider; {hint(name, places)}")


def _imported(name: str, module: str, attribute: str) -> Any:  # noqa: ANN401 - a class of one kind or the other
    try:
        return getattr(import_module(module), attribute)
    except ModuleNotFoundError as error:
        if error.name == module:
            raise LookupError(f"the provider {name} has no module {module}") from None
        raise LookupError(f"the provider {name} cannot be loaded: {error}") from error
    except Exception as error:
        raise LookupError(f"the provider {name} cannot be loaded: {type(error).__name__}: {error}") from error
