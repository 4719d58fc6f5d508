"""How a bridge stands to the world: its public URL and certificate, its clock, and its credentials at the gateways."""

from __future__ import annotations

import asyncio
import email.utils
import ssl
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import aiohttp

from bridge.cli.findings import Finding, fine, not_asked, problem, warning
from bridge.engine.delivery.client import Client
from bridge.engine.delivery.dialling import verifying
from bridge.engine.delivery.opening import open_transport
from bridge.errors import SendError
from bridge.providers.optional import Registers
from bridge.units import moment

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from bridge.clock import Clock
    from bridge.config.accounts import Account
    from bridge.config.load import Config
    from bridge.engine.delivery.transport import Leaving, Transport
    from bridge.providers.port import Request, Response

_SECONDS: Final = 5.0
"""How long the public URL has."""
_OFF: Final = 5.0
"""Seconds that a clock may be wrong: the Date of an answer has whole seconds, and was on its way."""
_FAR_OFF: Final = 60.0
"""Seconds from which on signed times are refused, windows misjudged and tokens thought valid."""
_SOON: Final = 14
"""Days before its end from which on a certificate should be renewed."""
_OK: Final = 200
_REFUSED: Final = ("401", "403")


async def of_network(config: Config, clock: Clock) -> list[Finding]:
    """Everything that asks somebody else; what cannot be asked without harm is said to be so."""
    dates: list[tuple[str, str, int]] = []
    findings = [finding async for finding in _public(config.server.public_url, clock, dates)]
    for name, account in config.accounts.items():
        if account.is_real or isinstance(account.provider, Registers):
            findings.append(await _credential(config, name, account, clock, dates))
    return [*findings, *_clock(dates)]


async def _public(url: str | None, clock: Clock, dates: list[tuple[str, str, int]]) -> AsyncIterator[Finding]:
    if url is None:
        yield not_asked("public URL", "[server] public_url is not set")
        return
    live = f"{url.rstrip('/')}/health/live"
    timeout = aiohttp.ClientTimeout(total=_SECONDS)
    connector = aiohttp.TCPConnector(ssl=verifying())
    try:
        async with (
            aiohttp.ClientSession(connector=connector, timeout=timeout, trust_env=False) as session,
            session.get(live, allow_redirects=False) as response,
        ):
            dates.append((live, response.headers.get("Date", ""), clock.now()))
            is_ours = response.status == _OK and (await response.read()).strip() == b'{"ok": true}'
            yield _answered(live, response.status, is_ours=is_ours)
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        about = f"{live} cannot be reached from here: {type(error).__name__}"
        yield problem("public URL", about, "look at the proxy, the name's address and its certificate")
    if live.startswith("https:"):
        yield await _certificate(live, clock)


def _answered(live: str, status: int, *, is_ours: bool) -> Finding:
    if is_ours:
        return fine("public URL", f"{live} answers")
    about = f"{live} answers {status}, and not as a bridge does"
    return problem("public URL", about, "start the bridge, and let the proxy pass /health and /webhooks on to it")


async def _certificate(url: str, clock: Clock) -> Finding:
    """When the certificate ends; one that is not valid is a problem in the words of the TLS library."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or 443
    try:
        async with asyncio.timeout(_SECONDS):
            _, writer = await asyncio.open_connection(host, port, ssl=verifying(), server_hostname=host)
    except ssl.SSLCertVerificationError as error:
        return problem("certificate", f"{host}: {error.verify_message}", "renew it: gateways refuse it too")
    except (OSError, TimeoutError) as error:
        return not_asked("certificate", f"{host} cannot be reached: {type(error).__name__}")
    peer: dict[str, Any] = writer.get_extra_info("peercert") or {}
    writer.close()
    ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(peer["notAfter"]), UTC)
    days = (ends - moment(clock.now())).days
    about = f"that of {host} is valid until {ends:%Y-%m-%d}, {days} days from now"
    return fine("certificate", about) if days >= _SOON else warning("certificate", about, "renew it")


async def _credential(
    config: Config, name: str, account: Account, clock: Clock, dates: list[tuple[str, str, int]]
) -> Finding:
    """Whether the gateway takes the credential, where its documentation has a request that changes nothing."""
    subject, provider = f"account {name}", account.provider
    if not isinstance(provider, Registers):
        return not_asked(subject, f"{provider.name} documents no request that tries a credential and changes nothing")
    transport = _Noting(open_transport(config.delivery.http_client), clock, dates)
    client = Client(provider, account.settings, transport, clock, inbound=account.inbound)
    try:
        await client.ask(lambda _: provider.webhooks.list())
    except SendError as error:
        if error.code in _REFUSED:
            return problem(
                subject, f"{provider.name} refuses the credential: {error}", "give a valid one; see the provider's page"
            )
        return warning(
            subject, f"{provider.name} does not answer well: {error}", "try again; look at the gateway's state"
        )
    finally:
        await transport.close()
    return fine(subject, f"{provider.name} accepts the credential")


class _Noting:
    """A transport that notes the Date of each answer."""

    def __init__(self, transport: Transport, clock: Clock, dates: list[tuple[str, str, int]]) -> None:
        self._transport = transport
        self._clock = clock
        self._dates = dates

    async def carry(
        self, base_url: str, request: Request, seconds: float, *, leaving: Leaving | None = None
    ) -> Response:
        """One request and its answer."""
        response = await self._transport.carry(base_url, request, seconds, leaving=leaving)
        date = next((value for key, value in response.headers.items() if key.lower() == "date"), "")
        self._dates.append((base_url, date, self._clock.now()))
        return response

    async def close(self) -> None:
        """Carry nothing more."""
        await self._transport.close()


def _clock(dates: list[tuple[str, str, int]]) -> Iterator[Finding]:
    """How far this machine's clock is from those that answered."""
    told = False
    for url, date, now in dates:
        try:
            theirs = email.utils.parsedate_to_datetime(date)
        except ValueError:
            continue
        told = True
        off = (moment(now) - theirs.astimezone(UTC)).total_seconds()
        host = urlsplit(url).hostname
        about = f"{abs(off):.0f} s {'ahead of' if off > 0 else 'behind'} {host}"
        if abs(off) <= _OFF:
            yield fine("clock", f"it agrees with {host}")
        elif abs(off) < _FAR_OFF:
            yield warning("clock", about, "let the machine keep time by NTP")
        else:
            yield problem("clock", about, "set it, and let the machine keep time by NTP")
    if not told:
        yield not_asked("clock", "nobody told the time: set [server] public_url")
