"""People on our side in a world: a human agent, who speaks, takes a conversation, and returns it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from bridge.providers.port import TellsAgents
from bridge.testing.contacts import Scene

if TYPE_CHECKING:
    from bridge.testing.contacts import Contact


class Desk(Scene, Protocol):
    """What an agent needs of the world."""

    async def write(self, contact: Contact, text: str) -> None:
        """Say something to a contact as a person. Raises HandlerError as bridge.send does."""
        ...

    async def hand_over(self, contact: Contact, note: str | None) -> bool:
        """Give a conversation to a person, with a note, or back to the bot (None); False before it began."""
        ...


class Agent:
    """A person of the shop, who looks after one contact. `contact.saw` leaves out what the agent writes."""

    def __init__(self, desk: Desk, contact: Contact) -> None:
        """Made by World.agent."""
        self._desk = desk
        self._contact = contact

    async def says(self, text: str) -> None:
        """Write to the contact in the gateway's own inbox. The webhook arrives when the world goes on.

        It may overtake what the contact says, as in real life.

        Raises:
            LookupError: this gateway posts no webhook for that; use `takes`.
        """
        contact = self._contact
        emulator = self._desk.emulator(contact.account)
        if not isinstance(emulator, TellsAgents):
            raise LookupError(  # noqa: TRY004 - the caller chose the account, not a type
                f"{contact.provider} does not tell what a person writes in its inbox; use takes()"
            )
        hook = emulator.agent_says(contact.channel, contact.address, text)
        self._desk.post(contact, [(hook, f"{contact.name}'s agent says {text!r}")], speaker=self)

    async def writes(self, text: str) -> None:
        """Write to the contact in the console, or by the REST API: the conversation is the agent's from then on."""
        await self._desk.write(self._contact, text)

    async def takes(self, note: str = "") -> None:
        """Take the conversation, as `threadbridge handoff` does: the bot is silent from then on.

        Raises:
            ValueError: no message of the contact has arrived yet.
        """
        await self._tell(note)

    async def returns(self) -> None:
        """Give the conversation back to the bot, as `threadbridge return` does. Raises ValueError as `takes` does."""
        await self._tell(None)

    async def _tell(self, note: str | None) -> None:
        if not await self._desk.hand_over(self._contact, note):
            raise ValueError(f"nothing that {self._contact.name} said has arrived yet: await world.settle() first")
