"""What a page is made of: its place in the table of pages, and the request that it answers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlencode

from aiohttp import hdrs, web
from pydantic import BaseModel, ValidationError

from bridge.config.problems import problems_of
from bridge.web.api.calls import Call
from bridge.web.api.problems import Refusal
from bridge.web.operator.guard import CSRF_FIELD, CSRF_HEADER
from bridge.web.operator.rendering import rendered

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from multidict import MultiMapping

    from bridge.clock import Clock
    from bridge.config.load import Config
    from bridge.web.api.backend import Backend
    from bridge.web.operator.access import Role
    from bridge.web.operator.figures import Figures
    from bridge.web.operator.live import Live
    from bridge.web.operator.sessions import Session
    from bridge.web.operator.texts import Texts

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One request that may be answered. `form` is what was posted, and `root` leads from the page to /console/.

    `navigation` has the address and the name of each page that it shows. `is_valid` tells, also later, whether the
    session still lasts.
    """

    request: web.Request
    session: Session | None
    backends: Sequence[Backend]
    config: Config
    clock: Clock
    live: Live
    figures: Figures
    texts: Texts
    root: str
    form: MultiMapping[str]
    navigation: Sequence[tuple[str, str]]
    serves_playground: bool
    is_valid: Callable[[], Awaitable[bool]]

    @property
    def path(self) -> Mapping[str, str]:
        """The parts of the address that its pattern names."""
        return self.request.match_info

    @property
    def is_fragment(self) -> bool:
        """Whether htmx asks, and wants a part of the page."""
        return "HX-Request" in self.request.headers and "HX-History-Restore-Request" not in self.request.headers

    @property
    def may_change(self) -> bool:
        """Whether an operator asks."""
        return self.session is not None and self.session.role == "operator"

    def call(self, *, query: BaseModel | None = None, body: BaseModel | None = None, **path: str) -> Call:
        """The request as an operation of the REST API takes it."""
        if self.session is None:
            raise Refusal(401, "log in first")
        return Call(
            token=self.session,
            backends=self.backends,
            clock=self.clock,
            path={**self.path, **path},
            query=query,
            body=body,
        )

    def read(self, model: type[M], values: Mapping[str, Any]) -> M:
        """Values as a model of the REST API has them; empty ones are left out. Raises Refusal."""
        try:
            return model.model_validate({name: value for name, value in values.items() if value not in ("", None)})
        except ValidationError as error:
            _, reason = problems_of(error, model)[0]
            raise Refusal(422, reason) from None

    def render(self, template: str, *, status: int = 200, **values: object) -> web.Response:
        """A page, or a part of one."""
        resource = self.request.match_info.route.resource
        csrf = "" if self.session is None else self.session.csrf
        common = {
            "ask": self,
            "_": self.texts,
            "language": self.texts.language,
            "session": self.session,
            "may_change": self.may_change,
            "navigation": self.navigation,
            "here": "" if resource is None else resource.canonical,
            "query": lambda **more: urlencode({**self.request.query, **more}),
            "csrf": csrf,
            "csrf_field": CSRF_FIELD,
            "headers": {CSRF_HEADER: csrf} if csrf else {},
        }
        text = rendered(template, self.root, {**common, **values})
        return web.Response(text=text, status=status, content_type="text/html")

    def go(self, to: str) -> web.Response:
        """Show another page, by its address below /console/."""
        if self.is_fragment:
            return web.Response(headers={"HX-Location": f"{self.root}{to}"})
        return web.Response(status=303, headers={hdrs.LOCATION: f"{self.root}{to}"})

    def as_(self, session: Session | None) -> Ask:
        """The same request of somebody else."""
        return replace(self, session=session)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One method of one path below /console. Who has not `role` is sent to the login; None: everybody may come.

    `name` is how the navigation calls it; "" leaves it out of there. `is_proof`: its form holds a password, and needs
    no token of the session.
    """

    path: str
    act: Callable[[Ask], Awaitable[web.StreamResponse]]
    method: str = hdrs.METH_GET
    role: Role | None = "viewer"
    name: str = ""
    is_proof: bool = False

    @property
    def root(self) -> str:
        """What leads from here to /console/."""
        return "../" * (self.path.count("/") - 1) or "./"
