"""A payment that leaves once somebody pressed the button, and only once."""

from __future__ import annotations

from bridge import Button, Buttons, Key, Router, Turn

router = Router("approval")


class Decide(Key):
    number: int
    amount: int
    payee: str
    pay: bool


@router.message(regex=r"^pay (?P<amount>\d+) to (?P<payee>\w+)$")
async def ask(turn: Turn, amount: int, payee: str) -> Buttons:
    number = turn.state["number"] = turn.state.get("number", 0) + 1
    turn.state.setdefault("open", []).append(number)
    yes, no = (Decide(number=number, amount=amount, payee=payee, pay=pay) for pay in (True, False))
    return Buttons(f"Pay {amount} euro to {payee}?", [Button(yes, "Pay"), Button(no, "Refuse")])


@router.postback(Decide)
async def decide(turn: Turn, press: Decide) -> str:
    if press.number not in turn.state.get("open", []):
        return "That was decided already."
    turn.state["open"].remove(press.number)
    return f"Paid {press.amount} euro to {press.payee}." if press.pay else "Refused."
