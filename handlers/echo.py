"""Says back whatever it hears: the shortest bot, and a way to see what a channel carries."""

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
    heard = turn.event
    if heard.media is None or not heard.media.url:
        return f"Your {heard.kind} arrived, but there is no file to fetch yet."
    return MEDIA[heard.kind](heard.media.url, name=heard.media.name, caption=heard.media.caption)


@router.message(kind="location")
async def location(turn: Turn[Message]) -> Outgoing | str:
    """The same place again."""
    place = turn.event.location
    if place is None:
        return "A place arrived, but not where it is."
    return Location(place.latitude, place.longitude, name=place.name)


@router.message()
async def words(turn: Turn[Message]) -> str:
    """The same words again, or the name of what has none."""
    return turn.event.text or f"A message of the kind {turn.event.kind} arrived; I can only say words again."


@router.postback()
async def press(turn: Turn[Postback]) -> str:
    """What was chosen."""
    return f"You chose {turn.event.title or turn.event.key}."
