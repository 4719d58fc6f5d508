"""Errors of steps as a journal gives them back: whatever a stored name stands for, only an exception is made of it."""

from __future__ import annotations

from typing import Any, Self

import pytest

from bridge.conversation.exceptions import Interrupted, TookTooLong, kept, made_again
from bridge.errors import StepFailed

MADE: list[object] = []


class Denied(Exception):
    """An author's error with what it was made from, and more."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class NoException:
    """Notes each object that is made of it."""

    def __new__(cls, *arguments: object) -> Self:
        MADE.append(arguments)
        return super().__new__(cls)


class Leaving(BaseException):
    """Would end more than a step."""


def calls(*arguments: object) -> None:
    MADE.append(arguments)


def test_an_error_comes_back_with_its_arguments_and_attributes() -> None:
    error = made_again(*kept(Denied(51)))
    assert isinstance(error, Denied)
    assert (error.code, error.args) == (51, (51,))


@pytest.mark.parametrize("cls", [TookTooLong, Interrupted])
def test_names_in_older_journals_stand_for_the_same_classes(cls: type[Exception]) -> None:
    error = made_again(f"bridge.runner:{cls.__name__}", ["shop:pay took longer than 5 s"], "", {})
    assert type(error) is cls
    assert str(error) == "shop:pay took longer than 5 s"


@pytest.mark.parametrize("name", ["NoException", "calls", "Leaving", "Missing", "Denied.__init__"])
def test_a_stored_name_of_anything_but_an_exception_makes_nothing(name: str) -> None:
    stored: Any = [f"{__name__}:{name}", ["a"], "no", {}]
    error = made_again(*stored)
    assert type(error) is StepFailed
    assert str(error) == f"{__name__}:{name}: no"
    assert MADE == []


@pytest.mark.parametrize("name", ["", "no_such_module:X", "builtins:", ":", "builtins:eval", "os:system"])
def test_a_stored_name_that_cannot_be_found_is_told(name: str) -> None:
    assert str(made_again(name, ["1 / 0"], "no", {})) == f"{name}: no"
