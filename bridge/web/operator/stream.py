"""The stream of news that every open page listens to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bridge.web.operator.page import Page

if TYPE_CHECKING:
    from aiohttp import web

    from bridge.web.operator.page import Ask


async def _news(ask: Ask) -> web.StreamResponse:
    return await ask.live.serve(ask.request, ask.is_valid)


PAGES: Final = (Page(path="/news", act=_news),)
