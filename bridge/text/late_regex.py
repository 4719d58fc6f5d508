"""Patterns of `regex`, which the first of them to be used imports: it takes 2 MB, and many bots need none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    import regex


def late(pattern: str) -> regex.Pattern[str]:
    """A pattern that is compiled when it is first used, and from then on is as fast as any other."""
    return cast("regex.Pattern[str]", _Late(pattern))


class _Late:
    def __init__(self, pattern: str) -> None:
        self._pattern = pattern

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - as the pattern has it
        """An attribute of the pattern, which is this object's own from then on."""
        import regex  # noqa: PLC0415 - see above

        value = getattr(regex.compile(self._pattern), name)
        setattr(self, name, value)
        return value
