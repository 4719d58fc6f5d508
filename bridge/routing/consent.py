"""Words by which contacts opt out, written beside the rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from bridge.callsite import call_site
from bridge.routing.checks import texts
from bridge.text.equal_text import fold

if TYPE_CHECKING:
    from bridge.routing.checks import Values
    from bridge.routing.rulebook import RuleBook


class ConsentRouter:
    """The words of a router."""

    _book: RuleBook

    def consent(self, stop: Mapping[str, str] | Values, start: Values = (), *, confirm: str = "") -> None:
        """Words by which a contact opts out (`stop`) and in again (`start`), beside those of `[consent]`.

        Each is a whole message, and no handler sees it. `confirm` is said once to who opts out; a mapping of `stop`
        words has an answer for each. A word of `[consent]` keeps its answer there.

        Raises:
            HandlerError: a word is blank or no text.
        """
        site = call_site()
        answers = dict(stop) if isinstance(stop, Mapping) else dict.fromkeys(texts(site, "stop", stop), confirm)
        again = texts(site, "start", start) if start else frozenset[str]()
        if not all(map(fold, (*answers, *again))):
            raise site.error("a word to opt out or in by is blank")
        self._book.settings.stop |= answers
        self._book.settings.start |= again
