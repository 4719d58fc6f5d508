"""WhautoChat's webhook registrations: which of our URLs it posts to, read and changed over /v1/webhooks.

Source: help.whauto.chat, REST API, "Webhooks": GET (limit, page), POST, and PUT and DELETE with the id in the path; a
registration is {id, name, serverUrl, active, events, createdAt, updatedAt} and holds no secret, so the URL must.
The shape of a list is not documented: a bare array is read, and one inside `data`, `webhooks`, `items` or `results`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import orjson

from bridge.errors import OutcomeUnknown, Rejected
from bridge.providers.answers import NOT_FOUND, SUCCESS, json_object
from bridge.providers.port import Request
from bridge.providers.reading import identifier, text
from bridge.providers.refusals import by_status
from bridge.providers.whautochat import wire

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bridge.providers.optional import Exchange
    from bridge.providers.port import Response

_PATH: Final = "/v1/webhooks"
_PAGE: Final = 50
_MOST_PAGES: Final = 20
_LISTS: Final = ("data", "webhooks", "items", "results")


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """One URL that WhautoChat posts to. `id` is "" before it is registered; `url` holds a secret and is not shown."""

    name: str
    url: str = field(repr=False)
    events: Sequence[str] = wire.MESSAGE_EVENTS
    active: bool = True
    id: str = ""


class Webhooks:
    """The registrations of one workspace: each method is an exchange for a client to carry out.

    Every one raises Rejected, NotSent or OutcomeUnknown when it is not answered as documented.
    """

    def __init__(self, headers: Mapping[str, str]) -> None:
        """`headers` hold the API key."""
        self._headers = headers

    def list(self) -> Exchange[Sequence[Registration]]:
        """All there are, page by page."""
        found: list[Registration] = []
        for page in range(1, _MOST_PAGES + 1):
            query = {"limit": str(_PAGE), "page": str(page)}
            response = yield Request(method="GET", path=_PATH, headers=self._headers, query=query)
            each = [_registration(item) for item in _items(response)]
            known = {registration.id for registration in found}
            found += [registration for registration in each if registration.id not in known]
            if len(each) < _PAGE:
                break
        return tuple(found)

    def register(self, wanted: Registration) -> Exchange[Registration]:
        """Add one; the result has its id. Registering the same URL twice makes two: `list` first."""
        _check_events(wanted.events)
        response = yield Request(method="POST", path=_PATH, headers=self._headers, body=_body(wanted))
        return _registration(_object(response))

    def replace(self, wanted: Registration) -> Exchange[Registration]:
        """Make the one with `wanted.id` what is wanted."""
        _check_events(wanted.events)
        path = _path_of(wanted.id)
        response = yield Request(method="PUT", path=path, headers=self._headers, body=_body(wanted))
        return _registration(_object(response))

    def ensure(self, name: str, url: str, place: str) -> Exchange[Registration]:
        """Have `url` posted to, with all message events, once (port: optional.Registrations)."""
        wanted = Registration(name=name, url=url)
        known = yield from self.list()
        same = [each for each in known if each.url == url]
        same += [each for each in known if each.url.startswith(f"{place}/")]
        if not same:
            return (yield from self.register(wanted))
        return (yield from self.replace(replace(wanted, id=same[0].id)))

    def delete(self, registration_id: str) -> Exchange[None]:
        """Take one out; that it is not there (any more) is no error."""
        response = yield Request(method="DELETE", path=_path_of(registration_id), headers=self._headers)
        if response.status not in SUCCESS and response.status != NOT_FOUND:
            raise _failure(response)


def _check_events(events: Sequence[str]) -> None:
    if unknown := set(events) - set(wire.EVENTS):
        raise Rejected(f"WhautoChat has no event {min(unknown)}; it has {', '.join(wire.EVENTS)}")


def _path_of(registration_id: str) -> str:
    if not registration_id.strip(". "):
        raise Rejected("a registration is named by its id")
    return f"{_PATH}/{quote(registration_id, safe='')}"


def _body(wanted: Registration) -> bytes:
    told = {"name": wanted.name, "serverUrl": wanted.url, "active": wanted.active, "events": list(wanted.events)}
    return orjson.dumps(told)


def _items(response: Response) -> Sequence[Mapping[str, Any]]:
    if response.status not in SUCCESS:
        raise _failure(response)
    try:
        found = orjson.loads(response.body)
    except orjson.JSONDecodeError:
        found = None
    if isinstance(found, dict):
        found = next((found[name] for name in _LISTS if isinstance(found.get(name), list)), None)
    if not isinstance(found, list):
        raise OutcomeUnknown("the answer is no list of webhooks", code=str(response.status))
    return [each for each in found if isinstance(each, dict)]


def _object(response: Response) -> Mapping[str, Any]:
    """The registration in an answer, bare or inside `data`."""
    found = json_object(response)
    if response.status not in SUCCESS:
        raise _failure(response)
    inner = (found or {}).get("data")
    found = inner if isinstance(inner, dict) else found
    if not found or not identifier(found, "id"):
        raise OutcomeUnknown("the answer holds no webhook", code=str(response.status))
    return found


def _registration(found: Mapping[str, Any]) -> Registration:
    events = found.get("events")
    return Registration(
        id=identifier(found, "id"),
        name=text(found, "name"),
        url=text(found, "serverUrl"),
        active=found.get("active") is not False,
        events=tuple(each for each in events if isinstance(each, str)) if isinstance(events, list) else (),
    )


def _failure(response: Response) -> Exception:
    found = json_object(response) or {}
    return by_status(response, text(found, "error") or text(found, "message"), check="the API key")
