"""GET /media/{token}: a file of the bot, for the gateway that was given its link. Nothing else is reachable here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from aiohttp import web

from bridge.engine.media.contents import NoContent
from bridge.errors import WebhookError
from bridge.web.refusals import refusal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bridge.engine.media.sending import Served

_CHUNK: Final = 256 * 1024
_SHOWN: Final = ("image/", "audio/", "video/")
_SCRIPTED: Final = "image/svg+xml"


def add_media(app: web.Application, find: Callable[[str], Awaitable[Served | None]]) -> None:
    """`find` tells what a token stands for."""

    async def answer(request: web.Request) -> web.StreamResponse:
        served = await find(request.match_info["token"])
        if served is None:
            return refusal(WebhookError(404, "not found"))
        return await _answer(request, served)

    app.router.add_get("/media/{token}", answer)


async def _answer(request: web.Request, served: Served) -> web.StreamResponse:
    headers = _headers(served)
    try:
        start, stop, _ = request.http_range.indices(served.size)
    except ValueError:
        start = stop = served.size
    if start >= stop:
        return web.Response(status=416, headers={**headers, "Content-Range": f"bytes */{served.size}"})
    response = web.StreamResponse(status=200, headers=headers)
    if "Range" in request.headers:
        response.set_status(206)
        response.headers["Content-Range"] = f"bytes {start}-{stop - 1}/{served.size}"
    response.content_length = stop - start
    await response.prepare(request)
    if request.method != "HEAD":
        await _write(response, served, start, stop)
    await response.write_eof()
    return response


async def _write(response: web.StreamResponse, served: Served, start: int, stop: int) -> None:
    for place in range(start, stop, _CHUNK):
        try:
            await response.write(await served.contents.read(served.sha256, place, min(place + _CHUNK, stop)))
        except NoContent:  # it was deleted meanwhile: the answer stays short, so nobody takes it for whole
            raise ConnectionResetError("the medium is deleted") from None


def _headers(served: Served) -> dict[str, str]:
    is_shown = served.mime_type.startswith(_SHOWN) and served.mime_type != _SCRIPTED
    disposition = "inline" if is_shown else "attachment"
    return {
        "Content-Type": served.mime_type,
        "Content-Disposition": f"{disposition}; filename*=UTF-8''{quote(served.name, safe='')}"
        if served.name
        else disposition,
        "Cache-Control": "private, max-age=3600",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Accept-Ranges": "bytes",
        "ETag": f'"{served.sha256}"',
    }
