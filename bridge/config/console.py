"""[console]: the passwords of the operator's console."""

from __future__ import annotations

from typing import Final, Self

from pydantic import BaseModel, ConfigDict, model_validator

from bridge.providers.fields import Secret

STRONG: Final = 12
"""Characters of a password that is not weak: tries are limited, and each takes its time."""


class Console(BaseModel):
    """[console]: without `password` there is no operator's console. Who has `viewer_password` may look, and no more."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    password: Secret | None = None
    viewer_password: Secret | None = None

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        if self.viewer_password is not None and self.password is None:
            raise ValueError("viewer_password is beside password, which is missing")
        if self.viewer_password is not None and self.viewer_password == self.password:
            raise ValueError("viewer_password is the same as password, and would let a viewer change things")
        return self

    def weak(self) -> list[str]:
        """The keys of passwords that may be guessed."""
        passwords = {"password": self.password, "viewer_password": self.viewer_password}
        return [name for name, secret in passwords.items() if secret and len(secret.get_secret_value()) < STRONG]
