"""People on our side in a world: a human agent, who speaks, takes a conversation, and returns it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from bridge.providers.port import Hook
    from bridge.testing.contacts import Contact
    from bridge.testing.world import World


@runtime_checkable
class TellsAgents(Protocol):
    """An emulator of a gateway that tells what a person wrote in its own inbox."""

    def agent_says(self, channel: str, contact: str, text: str) -> Hook:
        """The webhook for a text that a person on our side wrote to a contact."""
        ...


class Agent:
    """A person of the shop, who looks after one contact. What is written does not count among what the contact saw."""

    def __init__(self, world: World, contact: Contact) -> None:
        """Made by World.agent."""
        self._world = world
        self._contact = contact

    async def says(self, text: str) -> None:
        """Write to the contact in the gateway's own inbox; the webhook arrives when the world goes on.

        It may overtake what the contact says, as in real life.

        Raises:
            LookupError: this gateway tells nobody what a person writes; there is `takes`.
        """
        contact = self._contact
        emulator = self._world.emulator(contact.account)
        if not isinstance(emulator, TellsAgents):
            raise LookupError(  # noqa: TRY004 - the caller chose the account, not a type
                f"{contact.provider} does not tell what a person writes in its inbox; use takes()"
            )
        hook = emulator.agent_says(contact.channel, contact.address, text)
        self._world.post(contact, [(hook, f"{contact.name}'s agent says {text!r}")], speaker=self)

    async def takes(self, note: str = "") -> None:
        """Take the conversation, as `threadbridge handoff` does: the bot is silent from then on.

        Raises:
            ValueError: nothing that the contact said has arrived.
        """
        await self._tell(note)

    async def returns(self) -> None:
        """Give the conversation back to the bot, as `threadbridge return` does. Raises ValueError as `takes` does."""
        await self._tell(None)

    async def _tell(self, note: str | None) -> None:
        if not await self._world.hand_over(self._contact, note):
            raise ValueError(f"nothing that {self._contact.name} said has arrived yet: await world.settle() first")
