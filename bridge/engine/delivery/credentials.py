"""An account's credential: obtained once for all that wait for it, in this process and in the others."""

from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING, Final

import orjson

from bridge.errors import NotSent, OutcomeUnknown, Rejected, SendError, StoreError
from bridge.log import kind_of, log
from bridge.providers.port import Credential
from bridge.providers.redaction import secrets_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from cryptography.fernet import Fernet

    from bridge.clock import Clock
    from bridge.providers.port import AccountSettings, Authenticating, Provider
    from bridge.store.port import Store

    Obtain = Callable[[Authenticating], Awaitable[Credential]]

_NAME: Final = "credential"
_PURPOSE: Final = b"threadbridge credential"


class Vault:
    """Where the processes that send for an account share its credential.

    It is encrypted with the account's own secrets. So the database alone opens nothing at the gateway, and after the
    account's secrets have changed nobody uses what was obtained with the former ones.
    """

    def __init__(self, store: Store, account: str, settings: AccountSettings) -> None:
        """Nothing is read yet."""
        self._store = store
        self._account = account
        self._settings = settings

    async def read(self) -> Credential | None:
        """What was obtained last, by whichever process; None: nothing is there that this account's secrets open."""
        from cryptography.fernet import InvalidToken  # noqa: PLC0415 - few gateways need it

        try:
            encrypted = await self._store.secret(self._account, _NAME)
            if encrypted is None:
                return None
            token, renew_at = orjson.loads(self._lock().decrypt(encrypted))
        except (StoreError, InvalidToken, ValueError) as error:
            log.info("credential_not_shared", account=self._account, reason=kind_of(error))
            return None
        return Credential(token=token, renew_at=renew_at)

    async def keep(self, credential: Credential) -> None:
        """Let the others have a credential that was just obtained."""
        encrypted = self._lock().encrypt(orjson.dumps([credential.token, credential.renew_at]))
        try:
            await self._store.renew_secret(self._account, _NAME, encrypted.decode())
        except StoreError as error:
            log.info("credential_not_shared", account=self._account, reason=kind_of(error))

    def _lock(self) -> Fernet:
        from cryptography.fernet import Fernet  # noqa: PLC0415
        from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF  # noqa: PLC0415

        secrets = orjson.dumps(sorted(secrets_of(self._settings)))
        derived = HKDF(SHA256(), 32, salt=self._account.encode(), info=_PURPOSE).derive(secrets)
        return Fernet(base64.urlsafe_b64encode(derived))


class Credentials:
    """The current credential of one account."""

    def __init__(self, provider: Provider, clock: Clock, vault: Vault | None, hide: Callable[[str], None]) -> None:
        """None is known yet. Without a `vault` it is this process's own. `hide` is called with each new token."""
        self._provider = provider
        self._clock = clock
        self._vault = vault
        self._hide = hide
        self._current: Credential | None = None
        self.are_fixed = False
        """Whether the provider has said that the account's credentials are fixed: none is ever obtained."""
        self._obtaining = asyncio.Lock()
        self._refusals = 0
        self._refusal: SendError | None = None

    @property
    def renew_at(self) -> int | None:
        """When the current one is obtained anew (microseconds); None: there is none, or it is used until refused."""
        return None if self._current is None else self._current.renew_at

    async def get(self, obtain: Obtain, *, refused: Credential | None = None) -> Credential | None:
        """The current credential, or a new one if it is stale or was refused; None where they are fixed.

        One request serves all that wait for it, also when none is given.

        Raises:
            NotSent: there is none.
        """
        if self._fits(self._current, refused):
            return self._current
        exchange = self._provider.authenticate(self._clock.now())
        if exchange is None:
            self.are_fixed = True
            return None
        refusals = self._refusals
        async with self._obtaining:
            if self._refusals != refusals and self._refusal is not None:
                raise _none(self._refusal)
            if self._fits(self._current, refused):
                return self._current
            shared = await self._vault.read() if self._vault is not None else None
            self._current = shared if self._fits(shared, refused) else await self._obtained(exchange, obtain)
            if self._current is not None:
                self._hide(self._current.token)
            return self._current

    async def _obtained(self, exchange: Authenticating, obtain: Obtain) -> Credential:
        try:
            credential = await obtain(exchange)
        except SendError as error:
            self._refusals += 1
            self._refusal = error
            raise _none(error) from None
        if self._vault is not None:
            await self._vault.keep(credential)
        return credential

    def _fits(self, credential: Credential | None, refused: Credential | None) -> bool:
        if credential is None or (refused is not None and credential.token == refused.token):
            return False
        return credential.renew_at is None or credential.renew_at > self._clock.now()


def _none(error: SendError) -> NotSent:
    """A message without a credential was not sent, whatever became of the request for one."""
    if isinstance(error, NotSent):
        return error
    return NotSent(
        f"no credential: {error.reason}",
        code=error.code,
        retry_after=error.retry_after if isinstance(error, OutcomeUnknown) else None,
        pause=isinstance(error, Rejected),
        away=isinstance(error, OutcomeUnknown),
        loggable=error.loggable,
    )
