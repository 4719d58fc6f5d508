"""The section of threadbridge.toml that says how long history is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field

from bridge.providers.fields import Seconds
from bridge.store.retention import Kept

if TYPE_CHECKING:
    from collections.abc import Mapping

Age = Annotated[Seconds, Field(ge=3600, le=3650 * 86_400)]


class Retention(BaseModel):
    """[retention]: how old a row may become before it is removed, kind by kind; None: it is kept for good.

    Outgoing events are kept for a week where nothing else is said: nobody reads them again.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    messages: Age | None = None
    webhooks: Age | None = None
    exchanges: Age | None = None
    statuses: Age | None = None
    dead_letters: Age | None = None
    outgoing_events: Age | None = None

    @property
    def ages(self) -> Mapping[Kept, float]:
        """The seconds of each kind that is not kept for good."""
        ages = {kept: getattr(self, kept) for kept in Kept}
        return {kept: age for kept, age in ages.items() if age is not None}
