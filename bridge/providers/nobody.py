"""A provider without anybody on the other side: that of the threads in which jobs have their turns."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from bridge.errors import Rejected, Unmappable
from bridge.planning.capabilities import Capabilities
from bridge.providers.port import SECRET_HEADERS, AccountSettings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bridge.providers.port import Authenticating, Credential, Inbound, Outbound, Sending, Webhook

_NOTHING = Capabilities(kinds=frozenset())


class Nobody:
    """Implements Provider: receives nothing, and carries nothing."""

    name: ClassVar[str] = "jobs"
    Settings: ClassVar[type[AccountSettings]] = AccountSettings
    auth: ClassVar[tuple[str, ...]] = ()
    secret_headers: ClassVar[frozenset[str]] = SECRET_HEADERS
    relays: ClassVar[Mapping[str, Capabilities]] = {}
    base_url = ""
    channels: tuple[str, ...] | None = None

    def capabilities(self, channel: str) -> Capabilities:  # noqa: ARG002 - the port's signature
        """Nothing."""
        return _NOTHING

    def parse(self, webhook: Webhook) -> Sequence[Inbound]:
        """Refuse. Raises Unmappable."""
        del webhook
        raise Unmappable("nobody writes here")

    def send(self, outbound: Outbound, credential: Credential | None) -> Sending:
        """Refuse. Raises Rejected."""
        del outbound, credential
        raise Rejected("nobody reads here")

    def authenticate(self, now: int) -> Authenticating | None:  # noqa: ARG002 - the port's signature
        """None: there is nothing to log in to."""
        return None
