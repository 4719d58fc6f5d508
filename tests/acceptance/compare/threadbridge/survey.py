"""Three questions after a visit."""

from __future__ import annotations

from bridge import Dialog, Router, Turn

router = Router("survey")
STARS = {str(stars): stars for stars in range(1, 6)}
AGAIN = "A number from 1 to 5, please."


@router.message(text="rate")
async def rate(turn: Turn) -> None:
    await turn.begin(survey)


@router.dialog()
async def survey(d: Dialog) -> str:
    food = await d.ask("How was the food, 1 to 5?", parse=STARS.__getitem__, retry=AGAIN)
    service = await d.ask("And the service, 1 to 5?", parse=STARS.__getitem__, retry=AGAIN)
    remark = await d.ask("Anything to add?")
    return f"Thank you! Food {food}, service {service}: {remark}"
