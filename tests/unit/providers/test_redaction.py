"""Secrets in a gateway's words: long, short, cut, and written as JSON or in a URL."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, SecretStr

from bridge.providers.redaction import Redaction, secrets_of


class Inbound(BaseModel):
    name: str = "open"
    keys: tuple[SecretStr, ...] = (SecretStr("k-1"), SecretStr("k-2"))


class Settings(BaseModel):
    token: SecretStr = SecretStr("t-1")
    other: SecretStr | None = None


def test_the_secrets_of_an_account_are_those_of_its_settings_and_of_its_door() -> None:
    assert [*secrets_of(Settings(), Inbound(), None)] == ["t-1", "k-1", "k-2"]


@pytest.mark.parametrize(
    ("secret", "text", "shown"),
    [
        ("s3cr3t-of-the-account", "bad s3cr3t-of-the-account!", "bad ****!"),
        ("s3cr3t-of-the-account", "cut: s3cr3t-of-the-a", "cut: ****"),
        ("pin7", 'password "pin7" is wrong', 'password "****" is wrong'),
        ("pin7", "spinning pin77", "spinning pin77"),
        ("1", "HTTP 401: 1 is no token", "HTTP 401: **** is no token"),
        ('a"b\\c-1', r'{"got": "a\"b\\c-1"}', '{"got": "****"}'),
        ("größe-12", r'{"got": "gr\u00f6\u00dfe-12"}', '{"got": "****"}'),
        ("a/b c&d=e", "/hook/a%2Fb%20c%26d%3De/x", "/hook/****/x"),
        ("", "as it is", "as it is"),
    ],
)
def test_a_secret_is_hidden_however_it_is_written(secret: str, text: str, shown: str) -> None:
    assert Redaction([secret]).text(text) == shown


def test_a_longer_secret_is_hidden_before_one_that_it_contains() -> None:
    assert Redaction(["pin7", "pin7-extended"]).text("pin7-extended pin7") == "**** ****"


def test_an_obtained_token_is_hidden_with_the_few_before_it() -> None:
    redaction = Redaction([])
    for number in range(6):
        redaction.add(f"token-number-{number}")
    assert redaction.text("token-number-5 token-number-2") == "**** ****"
