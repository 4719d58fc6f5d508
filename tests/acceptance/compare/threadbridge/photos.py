"""Takes photos and counts them."""

from __future__ import annotations

from bridge import Message, Router, Turn

router = Router("photos")


@router.message(kind="image")
async def photo(turn: Turn[Message]) -> str:
    assert turn.event.media is not None
    turn.state["photos"] = [*turn.state.get("photos", []), turn.event.media.url]
    return f"Thank you, that is photo {len(turn.state['photos'])}."


@router.message()
async def other(_turn: Turn) -> str:
    return "A photo, please."
