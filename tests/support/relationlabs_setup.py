"""What the tests of RelationLabs begin with: accounts, an emulator, a message."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

import orjson

from bridge.events import ThreadRef
from bridge.messages import Text
from bridge.providers.relationlabs import RelationLabs
from bridge.providers.relationlabs.emulator import Emulator
from bridge.testing.contract.provider import ACCOUNT, BASE_URL, CREATED_AT, KEY, exchange, outbound, webhook
from tests.contract.provider.relationlabs_cases import CASES
from tests.contract.provider.relationlabs_outbound import GROUP

if TYPE_CHECKING:
    from bridge.providers.port import Credential, Hook, Inbound, Outbound


class Time:
    """A clock to be moved by hand."""

    def __init__(self) -> None:
        self.at = CREATED_AT

    def __call__(self) -> int:
        return self.at


def account(**changes: Any) -> RelationLabs:
    values = {"provider": "relationlabs", "base_url": BASE_URL, **CASES.settings, **changes}
    return RelationLabs(ACCOUNT, RelationLabs.Settings.model_validate(values))  # type: ignore[arg-type]


def keyed() -> RelationLabs:
    """An account that has to obtain its token."""
    values = {"provider": "relationlabs", "base_url": BASE_URL, **Emulator.address_settings}
    return RelationLabs(ACCOUNT, RelationLabs.Settings.model_validate(values))  # type: ignore[arg-type]


def emulator(now: Time | None = None) -> Emulator:
    return Emulator(now or Time(), Random(3))


def said_to(conversation: str = GROUP, channel: str = "group", key: str = KEY, **more: Any) -> Outbound:
    return outbound(ThreadRef(ACCOUNT, "relationlabs", channel, conversation), Text("hello"), key=key, **more)


def sent(
    gateway: Emulator, said: Outbound, credential: Credential | None = None, by: RelationLabs | None = None
) -> Any:
    return exchange((by or account()).send(said, credential), gateway.handle)[1]


def arrived(hook: Hook, provider: RelationLabs | None = None) -> Inbound:
    (found,) = (provider or account()).parse(webhook(orjson.loads(hook.body)))
    return found


def body_of(said: Outbound, provider: RelationLabs | None = None) -> dict[str, Any]:
    request = next((provider or account()).send(said, None))
    found: dict[str, Any] = orjson.loads(request.body or b"")
    return found
