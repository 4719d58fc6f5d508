"""Metrics as Prometheus reads them, for tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prometheus_client.parser import text_string_to_metric_families

from bridge.app.telemetry import Telemetry

if TYPE_CHECKING:
    from bridge.testing.world import World


class Scraped:
    """The samples of one scrape."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.families = list(text_string_to_metric_families(text))
        self.samples = [sample for family in self.families for sample in family.samples]

    def value(self, name: str, **labels: str) -> float:
        """The value of one sample, whose labels are exactly these."""
        (found,) = [
            each.value for each in self.samples if each.name == f"threadbridge_{name}" and each.labels == labels
        ]
        return found

    def counts(self, name: str, *labels: str) -> dict[Any, float]:
        """What is more than 0 of one name, by the values of these labels."""
        found = {}
        for each in self.samples:
            if each.name == f"threadbridge_{name}" and each.value:
                values = tuple(each.labels[label] for label in labels)
                found[values if len(values) > 1 else values[0]] = each.value
        return found


async def scrape(world: World) -> Scraped:
    """The metrics of a world's bridge."""
    body, _ = await world.inside(Telemetry(world.bridge).scraped(""))
    return Scraped(body.decode())
