"""Takes photos and counts them."""

from __future__ import annotations

from collections import defaultdict

from slack_bolt.async_app import AsyncApp, AsyncSay

app = AsyncApp()
photos: defaultdict[str, list[str]] = defaultdict(list)


@app.event({"type": "message", "subtype": "file_share"})
async def photo(event: dict, say: AsyncSay) -> None:
    taken = photos[event["user"]]
    taken += [each["url_private"] for each in event["files"] if each["mimetype"].startswith("image/")]
    await say(f"Thank you, that is photo {len(taken)}.")


@app.message()
async def other(say: AsyncSay) -> None:
    await say("A photo, please.")
