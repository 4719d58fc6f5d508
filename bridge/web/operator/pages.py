"""Every page of the console in one table, and the navigation that leads to them."""

from __future__ import annotations

from typing import Final

from bridge.web.operator import audit, broadcasts, contacts, dashboard, inbox, letters, schedule, stream, trying

PAGES: Final = (
    *inbox.PAGES,
    *contacts.PAGES,
    *broadcasts.PAGES,
    *letters.PAGES,
    *dashboard.PAGES,
    *schedule.PAGES,
    *audit.PAGES,
    *trying.PAGES,
    *stream.PAGES,
)
NAVIGATION: Final = tuple((page.path, page.name) for page in PAGES if page.name)
"""Address and name of each page that the navigation shows, in order."""
