"""The playground in a world, where contacts have a phone: what is said leaves by a request, as with any gateway."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bridge.messages import choices_of, decode_message, encode_message
from bridge.providers.playground import Playground, emulator
from bridge.providers.playground.outbound import deliver
from bridge.providers.port import Request, Response, Seen

if TYPE_CHECKING:
    from bridge.messages import Outgoing
    from bridge.providers.playground import PlaygroundSettings
    from bridge.providers.port import Credential, Outbound, Sending

NAME: Final = Playground.name
_KEY: Final = "idempotency-key"
_WHOM: Final = "conversation"
_TAKEN: Final = 204


class PlaygroundOfWorld(Playground):
    """An account of which the page is a contact's phone."""

    def __init__(self, account: str, settings: PlaygroundSettings) -> None:
        """The page is asked like a gateway, at an address of its own."""
        super().__init__(account, settings)
        self.base_url = f"https://{account}.test"

    def send(self, outbound: Outbound, credential: Credential | None) -> Sending:  # noqa: ARG002 - the port's signature
        """One request, and delivered."""
        headers = {_KEY: outbound.key, _WHOM: outbound.thread.conversation_id}
        body = encode_message(outbound.message)
        yield Request(method="POST", path="/messages", headers=headers, body=body)
        return (yield from deliver(outbound))


class Phone(emulator.Emulator):
    """The phone: it shows each message once."""

    def handle(self, request: Request) -> Response:
        """Show a message."""
        response = Response(status=_TAKEN)
        self.requests.append((request, response))
        key = request.headers[_KEY]
        if all(seen.key != key for seen in self.seen):
            self.seen.append(_seen(key, request.headers[_WHOM], decode_message(request.body or b"")))
        return response


def _seen(key: str, conversation: str, message: Outgoing) -> Seen:
    return Seen(
        key=key,
        channel=Playground.channel,
        conversation_id=conversation,
        kind=message.kind,
        text=getattr(message, "text", "") or getattr(message, "caption", ""),
        choices=tuple(choices_of(message)),
        url=getattr(message, "url", ""),
        message_id=key,
    )
