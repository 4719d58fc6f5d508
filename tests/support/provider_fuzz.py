"""Bytes from a coverage-guided fuzzer through a provider's parser or its door: `python -m tests.support.provider_fuzz`.

The first argument is the provider, the second "parse" or "verify"; the rest are libFuzzer's own, such as a folder with
samples. It ends with exit code 0, or with another one, the traceback and the input that broke it. `make soak` runs it
for every provider, where atheris can be installed.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from pydantic import SecretStr

atheris: Any = import_module("atheris")
"""Only `make soak` has it, and it brings no types."""

with atheris.instrument_imports(include=["bridge.providers", "bridge.events", "bridge.strict_json"]):
    from bridge.engine.ingest import arrivals_of
    from bridge.errors import WebhookError
    from bridge.providers.port import Webhook
    from bridge.strict_json import read_object
    from bridge.testing.contract.provider.fuzz import assert_parses_or_quarantines
    from tests.contract.provider.roster import PROVIDERS
    from tests.support.signed_posts import NEW, NOW, OLD, PEM, STAMP, WHPK, WHSEC, built, verify

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

DOORS: Final[Mapping[str, Mapping[str, Any]]] = {
    "headers": {"username": OLD, "password": NEW},
    "bearer": {"secret": [NEW]},
    "path": {"secret": [NEW]},
    "hmac": {"keys": [NEW, OLD]},
    "es256": {"public_key": PEM},
    "standard-webhooks": {"secrets": [SecretStr(WHSEC), SecretStr(WHPK)]},
}
NAMES: Final = (
    "Authorization",
    "Auth-username",
    "Auth-password",
    "X-Webhook-Signature",
    "webhook-id",
    "webhook-timestamp",
    "webhook-signature",
)


def parsing(name: str) -> Callable[[bytes], None]:
    """Whatever passes the door becomes sound events, or is quarantined with its reason."""
    cases = PROVIDERS[name]
    provider = cases.build()
    channel = cases.received[0].channel

    def target(data: bytes) -> None:
        try:
            content = read_object(data)
        except WebhookError:
            return
        assert_parses_or_quarantines(provider, content, channel)
        webhook = Webhook(channel=channel, body=data, json=content, received_at=NOW)
        assert isinstance(arrivals_of("shop", provider, webhook, lambda _: True), list)

    return target


def verifying(name: str) -> Callable[[bytes], None]:
    """Nothing passes that does not hold a secret, and nothing makes the door do anything but refuse."""
    schemes = (*PROVIDERS[name].provider.auth, "standard-webhooks")
    doors = [built(auth=scheme, **DOORS[scheme]) for scheme in dict.fromkeys(schemes)]

    def target(data: bytes) -> None:
        given = atheris.FuzzedDataProvider(data)
        headers = [
            (NAMES[given.ConsumeIntInRange(0, len(NAMES) - 1)], given.ConsumeUnicode(90))
            for _ in range(given.ConsumeIntInRange(0, 6))
        ]
        if given.ConsumeBool():
            headers += [("webhook-id", "msg_1"), ("webhook-timestamp", str(STAMP))]
        path = given.ConsumeUnicode(30) if given.ConsumeBool() else None
        body = given.ConsumeBytes(given.remaining_bytes())
        for door in doors:
            assert verify(door, headers, body, path) in {401, 404}

    return target


def main() -> None:
    """Fuzz one target."""
    name, what, *rest = sys.argv[1:]
    atheris.Setup([sys.argv[0], *rest], {"parse": parsing, "verify": verifying}[what](name))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
