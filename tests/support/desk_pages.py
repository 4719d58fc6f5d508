"""The console of a whole bridge for tests: its pages as a browser asks for them."""

from __future__ import annotations

import re
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from html import unescape
from typing import TYPE_CHECKING, Any

from aiohttp import ClientSession, CookieJar
from pydantic import SecretStr

from bridge.app.http import _TELEMETRY
from bridge.config.load import as_config
from tests.support.whole_bridges import SHOP, SHOP_HOOK, body, configuration, served

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    from bridge.routing.router import Router
    from tests.support.whole_bridges import Served

PASSWORD = "a-password-of-the-operator"
VIEWER = "a-password-of-a-viewer"
OWN = {"Sec-Fetch-Site": "same-origin"}
_CSRF = re.compile(r'hx-headers="([^"]*)"')
_TAG = re.compile(r"<[^>]*>")


@dataclass
class Desk:
    """Somebody at the console."""

    door: Served
    session: ClientSession
    host: str
    csrf: str = ""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.door.port}/console"

    async def ask(self, method: str, path: str, **options: Any) -> tuple[int, str]:
        """The status and the body of an answer."""
        headers = {"Host": self.host, **OWN, **options.pop("headers", {})}
        options.setdefault("allow_redirects", False)
        async with self.session.request(method, f"{self.url}/{path}", headers=headers, **options) as answer:
            return answer.status, await answer.text()

    async def page(self, path: str, **headers: str) -> str:
        """A page that is there."""
        status, text = await self.ask("GET", path, headers=headers)
        assert status == 200, (path, status, text)
        if match := _CSRF.search(text):
            self.csrf = re.findall(r"[0-9a-f]{64}", unescape(match[1]))[0]
        return text

    async def post(self, path: str, *fields: tuple[str, str], **options: Any) -> tuple[int, str]:
        """Send a form that the console made."""
        return await self.ask("POST", path, data=[("csrf", self.csrf), *fields], **options)

    async def webhook(self, value: object) -> None:
        """A gateway tells something, and its turn ends."""
        url = f"http://127.0.0.1:{self.door.port}{SHOP_HOOK}"
        headers = {**SHOP, "Content-Type": "application/json"}
        async with self.session.post(url, data=body(value), headers=headers) as answer:
            assert answer.status == 200
        await self.door.bridge.settle()

    async def sample(self) -> None:
        """One more sample of the figures is taken now."""
        await self.door.app[_TELEMETRY].figures().sample()

    async def login(self, password: str) -> None:
        """Log in with a password."""
        async with self.session.post(
            f"{self.url}/login", data={"password": password, "csrf": self.csrf}, headers=OWN
        ) as answer:
            assert answer.status == 200
            assert str(answer.url).endswith("/inbox")
        await self.page("inbox")


def words(text: str) -> str:
    """What a reader sees of a page."""
    return " ".join(unescape(_TAG.sub(" ", text.partition("<main")[2] or text)).split())


@asynccontextmanager
async def desk_of(
    folder: Path, router: Router | None = None, *, is_open: bool = True, **sections: Mapping[str, Any]
) -> AsyncIterator[Desk]:
    """The console of a bridge in a folder; where it is not open, both passwords are set."""
    passwords = {} if is_open else {"console": {"password": SecretStr(PASSWORD), "viewer_password": SecretStr(VIEWER)}}
    config = replace(as_config(configuration(folder, **sections, **passwords)), console_is_open=is_open)
    async with served(config, router) as door, ClientSession(cookie_jar=CookieJar(unsafe=True)) as session:
        yield Desk(door, session, f"127.0.0.1:{config.server.port}")
