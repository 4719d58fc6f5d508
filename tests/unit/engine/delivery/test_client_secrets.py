"""What a gateway repeats of an account's secrets is not stored: neither in the exchange nor in the reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import pytest
from pydantic import SecretStr

from bridge.clock import SystemClock
from bridge.engine.delivery.client import Attempt, Client
from bridge.errors import Rejected
from bridge.events import ThreadRef
from bridge.messages import Text
from bridge.providers.port import AccountSettings, Credential, Outbound, Request, Response
from bridge.providers.signatures import BearerAuth

if TYPE_CHECKING:
    from bridge.engine.delivery.transport import Leaving
    from bridge.providers.port import Authenticating, Provider, Sending

MESSAGE = Outbound(key="k-1", thread=ThreadRef("shop", "plain", "x", "ann"), message=Text("hi"), created_at=0)
DOOR = "secret-of-the-door-0123456789"


class Settings(AccountSettings):
    password: SecretStr


@dataclass
class Talking:
    """A provider whose errors hold the gateway's words; it has to obtain a token where there is one."""

    path: str
    token: str = ""
    base_url: str = "https://gateway.example"

    def send(self, outbound: Outbound, credential: Credential | None) -> Sending:
        del outbound, credential
        answer = yield Request(method="POST", path=self.path)
        said = answer.body.decode()[-60:]
        raise Rejected(said, code=said.rpartition(" ")[2])

    def authenticate(self, now: int) -> Authenticating | None:
        del now
        return self._obtain() if self.token else None

    def _obtain(self) -> Authenticating:
        yield Request(method="POST", path="/auth")
        return Credential(token=self.token)


@dataclass
class Answering:
    """A transport whose every request is answered by the same words."""

    words: str

    async def carry(
        self, base_url: str, request: Request, seconds: float, *, leaving: Leaving | None = None
    ) -> Response:
        del base_url, request, seconds, leaving
        return Response(status=403, body=self.words.encode(), headers={})

    async def close(self) -> None:
        """Nothing is open."""


async def stored(provider: Talking, words: str, password: str) -> tuple[str, Rejected]:
    """What is kept of a refused message, and its error."""
    client = Client(
        cast("Provider", provider),
        Settings(provider="plain", password=SecretStr(password)),
        Answering(words),
        SystemClock(),
        inbound=BearerAuth(auth="bearer", secret=(SecretStr(DOOR),)),
    )
    attempt = Attempt()
    with pytest.raises(Rejected) as error:
        await client.send(MESSAGE, attempt)
    return attempt.encode().decode(), error.value


@pytest.mark.parametrize("secret", ["pin7", "s3cr3t-of-the-account", DOOR])
async def test_a_gateway_that_repeats_a_secret_leaves_none_in_the_database(secret: str) -> None:
    words = f"{'x' * 470} wrong password {secret}"
    kept, error = await stored(Talking(f"/{secret}/send"), words, "pin7" if secret == DOOR else secret)
    assert secret[:4] not in kept + repr(error) + error.reason + error.code
    assert (error.reason[-19:], error.code) == ("wrong password ****", "****")
    assert "/****/send" in kept
    assert "wrong passwo" in kept


async def test_an_obtained_token_is_kept_out_too() -> None:
    kept, error = await stored(Talking("/send", token="token-1"), "no right for token-1", "another")
    assert "token-1" not in kept + error.reason
    assert error.reason == "no right for ****"
