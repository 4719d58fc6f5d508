"""What `threadbridge doctor` says of one thing: how it stands, and what to do about it."""

from __future__ import annotations

from typing import Literal

from bridge.frozen import dataclass

Level = Literal["ok", "warning", "problem", "not asked"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line: `about` tells how `subject` stands, and `do` what to do about it."""

    level: Level
    subject: str
    about: str
    do: str = ""


def fine(subject: str, about: str) -> Finding:
    """Nothing is to be done."""
    return Finding(level="ok", subject=subject, about=about)


def warning(subject: str, about: str, do: str) -> Finding:
    """It works, and may not for long."""
    return Finding(level="warning", subject=subject, about=about, do=do)


def problem(subject: str, about: str, do: str) -> Finding:
    """It does not work."""
    return Finding(level="problem", subject=subject, about=about, do=do)


def not_asked(subject: str, why: str) -> Finding:
    """Nobody can know without doing harm, or without being told more."""
    return Finding(level="not asked", subject=subject, about=why)
