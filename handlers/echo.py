"""Repeats every message: the shortest bot, and a test of what a channel carries."""

from __future__ import annotations

from bridge import Audio, Document, Image, Location, Message, Outgoing, Postback, Router, Turn, Video, Voice

router = Router("echo")

MEDIA: dict[str, type[Image | Video | Audio | Voice | Document]] = {
    "image": Image,
    "video": Video,
    "audio": Audio,
    "voice": Voice,
    "document": Document,
}


@router.message(kind=MEDIA)
async def media(turn: Turn[Message]) -> Outgoing | str:
    """The same file again."""
    message, file = turn.event, turn.event.media
    if file is None or not file.url:
        return f"Your {message.kind} arrived, but there is no file to fetch yet."
    return MEDIA[message.kind](file.url, name=file.name, caption=file.caption)


@router.message(kind="location")
async def location(turn: Turn[Message]) -> Outgoing | str:
    """The same place again."""
    place = turn.event.location
    if place is None:
        return "A place arrived, but not where it is."
    return Location(place.latitude, place.longitude, name=place.name)


@router.message()
async def words(turn: Turn[Message]) -> str:
    """The same words again; the name of a message without words."""
    return turn.event.text or f"A message of the kind {turn.event.kind} arrived; I can only say words again."


@router.postback()
async def press(turn: Turn[Postback]) -> str:
    """The title of the choice."""
    return f"You chose {turn.event.title or turn.event.key}."
