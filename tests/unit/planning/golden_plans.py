"""What messages of every kind become on every channel: `python -m tests.unit.planning.golden_plans` writes it anew.

Read the difference before committing it: it is what contacts will see.
"""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson

from bridge.messages import (
    Audio,
    Button,
    Buttons,
    Card,
    Cards,
    Document,
    Image,
    Location,
    Menu,
    Raw,
    Row,
    Section,
    Template,
    Text,
    Video,
    Voice,
    encode_message,
)
from bridge.planning.plan import Plan, plan
from bridge.providers.registry import BUILT_IN, provider_type
from bridge.units import SECOND, moment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bridge.messages import Outgoing
    from bridge.planning.capabilities import Capabilities

FILE: Final = Path(__file__).with_suffix(".json")
NOW: Final = 1_760_000_000 * SECOND
_DAY: Final = 86_400 * SECOND
_LONG: Final = 120
"""Characters beyond which a text is told by its two ends and its length."""

CHANNELS: Final[Mapping[str, Capabilities]] = {
    f"{name}:{channel}": carries for name in sorted(BUILT_IN) for channel, carries in provider_type(name).relays.items()
}

_YES_NO: Final = [Button("order:yes", "Yes"), Button("order:no", "No")]
_STORY: Final = "Once upon a time 👩‍👩‍👧 went to the e\u0301toile. " * 200
_TEAS: Final = [Row(f"tea:{each}", each.title(), f"{each} tea, 8 euro") for each in ("sencha", "matcha", "assam")]

SAMPLES: Final[Mapping[str, Outgoing]] = {
    "text": Text("Good morning"),
    "text, long": Text(_STORY),
    "text, answering a message": Text("Yes", reply_to="m-1"),
    "text, with a tag": Text("Your parcel is here", tag="POST_PURCHASE_UPDATE"),
    "text, for later": Text("Good night", at=moment(NOW + _DAY)),
    "text, worth something for an hour": Text("Half price", expires=timedelta(hours=1)),
    "text, worth nothing any more": Text("Too late", expires=moment(NOW - _DAY)),
    "text, in markdown": Text("# Order 7\n\n**Sencha** by *A\\*B*:\n\n- `100 g`\n\n> soon", format="markdown"),
    "image": Image("https://x.example/tea.png"),
    "image, with a caption": Image("https://x.example/tea.png", caption="Our sencha"),
    "video": Video("https://x.example/tea.mp4", caption="How to brew"),
    "audio": Audio("https://x.example/tea.mp3"),
    "voice": Voice("https://x.example/tea.ogg"),
    "document": Document("https://x.example/bill.pdf", name="bill.pdf", caption="Your bill"),
    "location": Location(-6.2, 106.8, name="Our shop"),
    "buttons": Buttons("Shall I order it?", _YES_NO),
    "buttons, four": Buttons("Which?", [Button(f"k:{at}", f"Number {at}") for at in range(1, 5)]),
    "buttons, twelve": Buttons("Which?", [Button(f"k:{at}", f"Choice {at}") for at in range(1, 13)]),
    "buttons, with long titles": Buttons("Sure?", [Button("a", "Yes, I am quite sure of it"), Button("b", "No")]),
    "buttons, with titles alike in their first letters": Buttons(
        "Sure?", [Button("a", "The same old story, ending A"), Button("b", "The same old story, ending B")]
    ),
    "buttons, with a long key": Buttons("Sure?", [Button("k" * 100, "Yes"), Button("b", "No")]),
    "buttons, with a text over and under": Buttons("Sure?", _YES_NO, header="Your order", footer="Thank you"),
    "buttons, with a picture over": Buttons("Sure?", _YES_NO, header=Image("https://x.example/a.png", caption="Tea")),
    "buttons, under a long text": Buttons(_STORY, _YES_NO, footer="Thank you"),
    "menu": Menu("Which tea?", "Our teas", [Section("Packs of 100 g", _TEAS)]),
    "menu, in sections": Menu(
        "Which tea?", "Teas", [Section("Green", _TEAS[:2], "fresh"), Section("Black", _TEAS[2:])], header="Shop"
    ),
    "menu, long": Menu("Which?", "All", [Section("Numbers", [Row(f"k:{at}", f"Number {at}") for at in range(1, 13)])]),
    "cards": Cards(
        [
            Card("Sencha", buttons=[Button("tea:sencha", "Buy sencha")], image="https://x.example/s.png"),
            Card("Matcha", buttons=[Button("tea:matcha", "Buy matcha")], image="https://x.example/m.png"),
        ]
    ),
    "cards, without buttons": Cards([Card("Sencha"), Card("Matcha", image="https://x.example/m.png")]),
    "template": Template("order_sent", language="en", params={"number": "7"}),
    "template, or a text": Template("order_sent", language="en", fallback=[Text("Order 7 is on its way")]),
    "raw": Raw({"anything": ["goes"]}),
    "raw, or buttons": Raw({"anything": ["goes"]}, fallback=[Buttons("Sure?", _YES_NO)]),
}
SILENT: Final[Mapping[str, Outgoing]] = {
    "two days silent: text": Text("Hello?"),
    "two days silent: text, with a tag": Text("Your parcel is here", tag="POST_PURCHASE_UPDATE"),
    "two days silent: template": Template("order_sent", language="en"),
    "two days silent: buttons, or a template": Buttons(
        "Sure?", _YES_NO, fallback=[Template("order_sent", language="en")]
    ),
}
"""To contacts who last wrote two days ago."""


def planned() -> dict[tuple[str, str], Plan]:
    """Every sample's plan on every channel, by both names."""
    return {
        (name, channel): plan(message, carries, now=NOW, last_heard=NOW - silence)
        for samples, silence in ((SAMPLES, 0), (SILENT, 2 * _DAY))
        for name, message in samples.items()
        for channel, carries in CHANNELS.items()
    }


def golden() -> str:
    """The file: for each sample its different plans, each with the channels that share it."""
    told: dict[str, list[dict[str, Any]]] = {}
    for (name, channel), made in planned().items():
        shown = _as_json(made)
        same = [each for each in told.setdefault(name, []) if {**each, "on": 0} == {**shown, "on": 0}]
        if same:
            same[0]["on"].append(channel)
        else:
            told[name].append({"on": [channel], **shown})
    for plans in told.values():
        for each in plans:
            each["on"] = " ".join(each["on"])
    return json.dumps(told, indent=1, ensure_ascii=False) + "\n"


def _as_json(made: Plan) -> dict[str, Any]:
    """A plan without what it has none of."""
    whole = {
        "dropped": made.dropped,
        "parts": [_shortened(orjson.loads(encode_message(part))) for part in made.parts],
        "typed": {str(each.number): each.key for each in made.choices if each.number is not None},
        "pressed": [each.key for each in made.choices if each.number is None],
        "given_up": list(made.given_up),
    }
    return {name: value for name, value in whole.items() if value}


def _shortened(value: Any) -> Any:
    match value:
        case str() if len(value) > _LONG:
            return f"{value[:40]} [...] {value[-40:]} ({len(value)} characters)"
        case dict():
            return {name: _shortened(each) for name, each in value.items()}
        case list():
            return [_shortened(each) for each in value]
    return value


def main() -> None:
    """Write the file."""
    FILE.write_text(golden(), "utf-8")


if __name__ == "__main__":
    main()
