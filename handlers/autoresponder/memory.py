"""What an auto-responder remembers of a contact."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from bridge import Turn

_KEY: Final = "auto"


def memory_of(turn: Turn[Any]) -> MutableMapping[str, Any]:
    """Greeted, away, misses, and the language in which the contact writes."""
    memory: MutableMapping[str, Any] = turn.state.setdefault(_KEY, {})
    return memory


def fields_of(turn: Turn[Any]) -> MutableMapping[str, Any]:
    """The contact's fields: the answers, and the language that was chosen. In a group they are the group's."""
    if turn.contact.person is None:
        fields: MutableMapping[str, Any] = memory_of(turn).setdefault("fields", {})
    else:
        fields = turn.contact.fields
    return fields
