"""A person at the operator's console of a bridge: requests as a browser makes them, without one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import unescape
from http.cookies import SimpleCookie
from typing import TYPE_CHECKING, Any, Final

import pytest
from aiohttp import DummyCookieJar
from pydantic import SecretStr

from bridge.app.http import create_app
from tests.support.api_program import Program, bot, settings
from tests.support.manual_clock import ManualClock
from tests.support.whole_bridges import OurServer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pytest_aiohttp import AiohttpClient

PASSWORD: Final = "correct horse battery"
VIEWER: Final = "only looking at it"
_CSRF: Final = re.compile(r'name="csrf" value="([^"]*)"')


@dataclass(frozen=True, slots=True)
class Shown:
    """A page as it came."""

    status: int
    headers: Mapping[str, str]
    text: str
    cookies: SimpleCookie

    @property
    def words(self) -> str:
        """Its text without tags."""
        return " ".join(unescape(re.sub(r"<[^>]*>", " ", self.text)).split())


class Person(Program):
    """Somebody with a browser; who logs in has a session in `cookie`."""

    cookie = ""
    host = ""

    async def open(self, path: str, *, method: str = "GET", data: Any = None, **headers: str) -> Shown:
        sent = {"Sec-Fetch-Site": "same-origin", **({"Cookie": self.cookie} if self.cookie else {})}
        sent |= {"Host": self.host} if self.host else {}
        sent = {name: value for name, value in {**sent, **headers}.items() if value}
        options = {"headers": sent, "data": data, "allow_redirects": False}
        async with self.client.request(method, f"/console/{path}", **options) as answer:
            cookies: SimpleCookie = SimpleCookie()
            for line in answer.headers.getall("Set-Cookie", ()):
                cookies.load(line)
            return Shown(answer.status, dict(answer.headers), await answer.text(), cookies)

    async def post(self, path: str, fields: Mapping[str, str] | None = None, /, **headers: str) -> Shown:
        """Post a form, with the token of the session unless the fields have one."""
        fields = {"csrf": await self.csrf(), **(fields or {})}
        return await self.open(path, method="POST", data=fields, **headers)

    @property
    def origin(self) -> str:
        return str(self.client.make_url("")).rstrip("/")

    async def csrf(self) -> str:
        match = _CSRF.search((await self.open("inbox")).text)
        return match[1] if match else ""

    async def log_in(self, password: str = PASSWORD, **headers: str) -> Shown:
        """Give a password; the cookie that comes is kept."""
        shown = await self.open("login", method="POST", data={"password": password}, **headers)
        for name, morsel in shown.cookies.items():
            self.cookie = f"{name}={morsel.value}"
        return shown


@pytest.fixture
def sections() -> dict[str, Any]:
    return {}


@pytest.fixture
async def person(tmp_path: Path, aiohttp_client: AiohttpClient, sections: dict[str, Any]) -> Person:
    clock = ManualClock()
    passwords = {"password": SecretStr(PASSWORD), "viewer_password": SecretStr(VIEWER)}
    app = create_app(settings(tmp_path, console=passwords, **sections), router=bot(), clock=clock)
    return Person(await aiohttp_client(OurServer(app), cookie_jar=DummyCookieJar()), clock)
