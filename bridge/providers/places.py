"""Where a conversation is that the bot begins: what providers make of the text that names a contact."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection


def e164(text: str) -> str | None:
    """A phone number as +6281234567890; None for what is none.

    With its `+` and country it is a number however it is grouped; without, only where it is nothing but digits.

    Raises:
        ValueError: it begins as a number does, and no such number can exist.
    """
    text = text.strip()
    if not text.startswith("+") and not (text.isascii() and text.isdecimal()):
        return None
    import phonenumbers  # noqa: PLC0415 - its tables are read by those alone who begin conversations

    try:
        number = phonenumbers.parse(text if text.startswith("+") else f"+{text}")
    except phonenumbers.NumberParseException:
        number = None
    if number is None or not phonenumbers.is_possible_number(number):
        raise ValueError("no phone number: want the country's code and all digits, like +6281234567890")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def one_of(channel: str | None, channels: Collection[str]) -> str:
    """The channel that is asked for, or the only one there is. Raises ValueError."""
    if channel is None and len(channels) == 1:
        return next(iter(channels))
    if channel is None:
        raise ValueError(f"which channel? One of {', '.join(sorted(channels))}")
    if channel not in channels:
        raise ValueError(f"no channel {channel!r}: one of {', '.join(sorted(channels))}")
    return channel
