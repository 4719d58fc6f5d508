"""A provider's emulator as an HTTP server: for `threadbridge emulate`, for `dev`, and for tests over real sockets."""

from __future__ import annotations

import asyncio
import time
from dataclasses import asdict
from datetime import UTC, datetime
from random import Random
from typing import TYPE_CHECKING, Any, Final, Self

import aiohttp
import orjson
from aiohttp import web
from pydantic import SecretStr

from bridge.emulation.actions import ACTIONS, webhook_of
from bridge.emulation.exchange_log import ExchangeLog
from bridge.emulation.faults import Faults, read_faults
from bridge.emulation.files import Files
from bridge.providers.answers import ERROR
from bridge.providers.port import HasBasePath, Refuses, Request, Response
from bridge.units import read_seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from types import TracebackType

    from bridge.providers.port import Emulator, Hook

_CONTROL: Final = "/_emulator/"
_HOST: Final = "127.0.0.1"
_HOLD_SECONDS: Final = 0.2
"""How long a reordered webhook waits for another one to pass it."""


def base_path(emulator: Emulator) -> str:
    """The path of the gateway's documented base URL; "" for most."""
    return emulator.base_path if isinstance(emulator, HasBasePath) else ""


def _after_base(path: str, base: str) -> str:
    """A path as it begins after base_url, be that with the documented path or without."""
    return path.removeprefix(base) if path.startswith(f"{base}/") else path


class EmulatorServer:
    """Hosts one emulator on 127.0.0.1, and posts the webhooks that its contacts cause.

        async with EmulatorServer(Emulator(now, Random(7)), webhook="http://127.0.0.1:8080/webhooks/shop") as server:
            status = await server.post(server.emulator.says("whatsapp", "ann", "hi"))

    Every path but /_emulator/… is the provider's API. POST /_emulator/says, /presses, /sends, /locates and /status
    make a webhook and answer {"status": its HTTP status, "webhook": its body}. GET /_emulator/seen and
    /_emulator/requests list the messages and requests so far. POST /_emulator/files?lasts=60 takes the bytes of a file,
    and answers {"url": its link}, which is dead after so many seconds. POST /_emulator/faults takes what goes wrong
    from now on, and GET /_emulator/faults tells it. A wrong control request is answered 400 with the reason.
    """

    def __init__(
        self,
        emulator: Emulator,
        *,
        port: int = 0,
        webhook: str | None = None,
        headers: Mapping[str, str] | None = None,
        sign: Callable[[bytes], Mapping[str, str]] | None = None,
        faults: Faults | None = None,
        rng: Random | None = None,
        log: Path | None = None,
    ) -> None:
        """Prepare to serve on `port` (0: any).

        Args:
            emulator: The provider's side.
            port: Where to listen.
            webhook: The account's webhook URL, with its path secret and without a channel.
            headers: Headers that authenticate every webhook.
            sign: Makes further headers from a webhook's body; `headers` override them.
            faults: What goes wrong; nothing by default.
            rng: Decides when it goes wrong.
            log: A file for every exchange, with secrets redacted.

        Raises:
            ValueError: the provider documents no code that `faults.fail` names.
        """
        self.emulator = emulator
        self.url = ""
        self._port = port
        self._webhook = webhook.rstrip("/") if webhook else None
        self._headers = dict(headers or {})
        self._sign = sign or (lambda _: {})
        self._faults = faults or Faults()
        self._rng = rng or Random()  # noqa: S311 - decides about faults, not about secrets
        self._refusals = self._refusals_of(self._faults)
        secrets = [each.get_secret_value() for each in emulator.settings.values() if isinstance(each, SecretStr)]
        self._log = ExchangeLog(log, [*secrets, *self._headers.values()])
        self.files = Files(lambda: time.time_ns() // 1_000)
        """What its links to media give."""
        self._passed = asyncio.Event()
        self._runner: web.AppRunner | None = None
        self._session: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        """Listen; `url` becomes the account's base_url. Raises OSError when the port is taken."""
        app = web.Application()
        app.router.add_get(f"{_CONTROL}seen", self._show_seen)
        app.router.add_get(f"{_CONTROL}requests", self._show_requests)
        app.router.add_post(f"{_CONTROL}files", self._take_file)
        app.router.add_get(f"{_CONTROL}faults", self._show_faults)
        app.router.add_post(f"{_CONTROL}faults", self._take_faults)
        for name in ACTIONS:
            app.router.add_post(f"{_CONTROL}{name}", self._control)
        app.router.add_route("*", f"{_CONTROL}{{rest:.*}}", _no_such_control)
        app.router.add_route("*", "/{rest:.*}", self._serve)
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30))
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, _HOST, self._port).start()
        except OSError:
            await self.close()
            raise
        self.url = f"http://{_HOST}:{self._runner.addresses[0][1]}"

    async def close(self) -> None:
        """Stop listening; the log is complete."""
        if self._runner:
            await self._runner.cleanup()
        if self._session:
            await self._session.close()
        self._log.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def post(self, hook: Hook) -> int:
        """POST a webhook, twice where the faults say so; the last answer's HTTP status.

        Raises:
            ValueError: there is no webhook URL to post to.
            ConnectionError: that URL does not answer.
        """
        if self._webhook is None:
            raise ValueError("there is no webhook URL")
        if self._happens(self._faults.reorder):
            await self._hold()
        times = 2 if self._happens(self._faults.dup) else 1
        statuses = [
            await self._post_once(f"{self._webhook}/{hook.channel or ''}".rstrip("/"), hook) for _ in range(times)
        ]
        self._passed.set()
        return statuses[-1]

    async def _hold(self) -> None:
        self._passed.clear()
        try:
            await asyncio.wait_for(self._passed.wait(), _HOLD_SECONDS)
        except TimeoutError:
            return

    async def _post_once(self, url: str, hook: Hook) -> int:
        assert self._session is not None, "start() comes first"
        try:
            async with self._session.post(
                url, data=hook.body, headers=self._authentic(hook), allow_redirects=False
            ) as answer:
                await answer.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            self._note({"webhook": self._log.body(hook.body), "channel": hook.channel, "error": type(error).__name__})
            raise ConnectionError(f"the webhook was not answered: {type(error).__name__}") from None
        self._note({"webhook": self._log.body(hook.body), "channel": hook.channel, "status": answer.status})
        return answer.status

    def _authentic(self, hook: Hook) -> dict[str, str]:
        """The headers of a webhook, each name once: the bridge refuses a header that comes twice."""
        layers = (hook.headers, self._sign(hook.body), self._headers)
        return dict({name.lower(): (name, value) for headers in layers for name, value in headers.items()}.values())

    def file(self, data: bytes, mime_type: str = "application/octet-stream", *, lasts: float | None = None) -> str:
        """A link to these bytes, as a gateway gives one: dead after `lasts` seconds; None: never."""
        return f"{self.url}{self.files.add(data, mime_type, lasts=lasts)}"

    async def _take_file(self, given: web.Request) -> web.Response:
        try:
            lasts = read_seconds(given.query["lasts"]) if "lasts" in given.query else None
        except ValueError as error:
            return _json({"error": f"lasts: {error}"}, status=400)
        return _json({"url": self.file(await given.read(), given.content_type, lasts=lasts)})

    async def _serve(self, given: web.Request) -> web.StreamResponse:
        """Answer as the provider does."""
        if (file := self.files.answer(given.path)) is not None:
            return _http(file)
        request = Request(
            method=given.method,
            path=_after_base(given.rel_url.raw_path, base_path(self.emulator)),
            headers={str(name): value for name, value in given.headers.items()},
            query=dict(given.query),
            body=await given.read() if given.body_exists else None,
        )
        if self._faults.delay_ms:
            await asyncio.sleep(self._faults.delay_ms / 1_000)
        if code := self._failing():
            response = self._refusals[code]
            self.emulator.requests.append((request, response))
            self._note({**self._log.exchange(request, response), "fault": f"fail {code}"})
            return _http(response)
        response = self.emulator.handle(request)
        if self._happens(self._faults.drop):
            self._note({**self._log.exchange(request, None), "fault": "drop"})
            assert given.transport is not None
            given.transport.abort()
            return web.Response()
        self._note(self._log.exchange(request, response))
        return _http(response)

    async def _control(self, given: web.Request) -> web.Response:
        """Let a contact act, or a message reach its fate."""
        try:
            hook = webhook_of(self.emulator, given.path.removeprefix(_CONTROL), await given.read())
        except ValueError as error:
            return _json({"error": str(error)}, status=400)
        try:
            status = await self.post(hook) if self._webhook else None
        except ConnectionError as error:
            return _json({"error": str(error), "webhook": orjson.loads(hook.body)}, status=502)
        return _json({"status": status, "webhook": orjson.loads(hook.body)})

    async def _show_seen(self, given: web.Request) -> web.Response:  # noqa: ARG002 - aiohttp's signature
        return _json([asdict(seen) for seen in self.emulator.seen])

    async def _show_requests(self, given: web.Request) -> web.Response:  # noqa: ARG002 - aiohttp's signature
        return _json([self._log.exchange(request, response) for request, response in self.emulator.requests])

    async def _show_faults(self, given: web.Request) -> web.Response:  # noqa: ARG002 - aiohttp's signature
        return _json(asdict(self._faults))

    async def _take_faults(self, given: web.Request) -> web.Response:
        """From now on other things go wrong."""
        try:
            faults = read_faults(await given.read())
            self._refusals = self._refusals_of(faults)
        except ValueError as error:
            return _json({"error": str(error)}, status=400)
        self._faults = faults
        return _json(asdict(faults))

    def _refusals_of(self, faults: Faults) -> dict[str, Response]:
        """By code, how the gateway refuses. Raises ValueError: it documents no such code."""
        return {code: self._refusal(code) for code in faults.fail}

    def _refusal(self, code: str) -> Response:
        if isinstance(self.emulator, Refuses):
            return self.emulator.refuse(code)
        if not code.isascii() or not code.isdigit() or int(code) not in ERROR:
            raise ValueError(f"fail: {code} is no HTTP status from 400 to 599")
        body = orjson.dumps({"code": int(code), "message": "refused by the emulator"})
        return Response(status=int(code), headers={"content-type": "application/json"}, body=body)

    def _failing(self) -> str | None:
        """The code to fail with now, if any: one throw of the dice decides among all."""
        throw = self._rng.random()
        for code, chance in self._faults.fail.items():
            throw -= chance
            if throw < 0:
                return code
        return None

    def _happens(self, chance: float) -> bool:
        return chance > 0 and self._rng.random() < chance

    def _note(self, entry: Mapping[str, Any]) -> None:
        self._log.write({"at": datetime.now(UTC), "provider": self.emulator.name, **entry})


async def _no_such_control(given: web.Request) -> web.Response:  # noqa: ARG001 - aiohttp's signature
    posts = ", ".join(f"POST {_CONTROL}{name}" for name in (*ACTIONS, "files", "faults"))
    return _json({"error": f"there are {posts}, GET {_CONTROL}seen, GET {_CONTROL}requests"}, status=404)


def _json(value: object, status: int = 200) -> web.Response:
    return web.Response(status=status, body=orjson.dumps(value), content_type="application/json")


def _http(response: Response) -> web.Response:
    headers = {name: value for name, value in response.headers.items() if name.lower() != "content-length"}
    return web.Response(status=response.status, headers=headers, body=response.body)
