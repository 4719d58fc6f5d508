"""What the REST API acts on: the stores of a running bridge, and the parts that work in each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from bridge.config.accounts import Account
    from bridge.engine.broadcasts.composing import Composer
    from bridge.engine.dead_letters import Letters
    from bridge.engine.handoff import Handoffs
    from bridge.engine.jobs import Jobs
    from bridge.engine.signals import Signals
    from bridge.engine.turns.sending import Sender
    from bridge.store.port import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """One database of a bridge, with the accounts that it keeps."""

    accounts: Mapping[str, Account]
    store: Store
    sender: Sender
    composer: Composer
    letters: Letters
    handoffs: Handoffs
    signals: Signals
    jobs: Jobs


Backends: TypeAlias = "Callable[[], Sequence[Backend]]"
"""Those of a bridge that has started."""
