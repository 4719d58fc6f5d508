"""The place of one worker: who goes on when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from bridge.workers.child import Child, Stage
from bridge.workers.post import Post
from bridge.workers.words import ADOPT, GO, STEP_BACK

if TYPE_CHECKING:
    from collections.abc import Sequence


class Heard:
    """Stands for a Child: what its parent says to it."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.until: float | None = None
        self.words: list[bytes] = []

    def go(self, word: bytes, *_: int) -> None:
        self.words.append(word)

    def say(self, word: bytes, _: Sequence[int] = ()) -> None:
        self.words.append(word)


def child(stage: Stage) -> Any:
    return cast("Child", Heard(stage))


def test_beside_one_that_leaves_no_other_is_asked_to_leave() -> None:
    """It gives its connections to the one that serves, which has to serve them."""
    post = Post(1, side_by_side=True)
    first, second, third = child(Stage.SERVING), child(Stage.PREPARED), child(Stage.PREPARED)
    post.current, post.successor = first, second
    post.let_go()
    assert second.words == [GO]
    second.stage = Stage.SERVING
    post.promote()
    assert (first.words, second.words) == ([STEP_BACK], [GO, ADOPT])
    post.successor = third
    post.let_go()
    assert third.words == []
    post.remove(first)
    post.let_go()
    assert third.words == [GO]
