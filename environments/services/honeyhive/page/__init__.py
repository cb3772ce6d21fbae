"""The page to look at: sessions, newest first, and the tree of one. Its routes, and who may see it.

It shows every project to whoever reaches it, without a key, so it is there only where a person started the service for
themselves (`nox -s serve`) or a supervisor asked for it (`"page": true`); elsewhere its paths are unknown routes. The
service listens on loopback alone, and the page answers only to names of loopback: a website that has its own name
resolve to 127.0.0.1 gets 403. Other users of the same machine can look at it: don't serve on a shared one what they
must not see.

No script, nothing from elsewhere, and a Content-Security-Policy that holds it to that. What clients sent is only ever
text: every template escapes.
"""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from starlette.responses import Response

from environments.services.honeyhive.events import trees
from environments.services.honeyhive.page import views
from environments.services.http.errors import ApiError, bad_request, not_found, translated

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import jinja2

    from environments.services.honeyhive.api.calls import Incoming
    from environments.services.honeyhive.storage.keys import Project
    from environments.services.honeyhive.storage.store import Store

SESSIONS_PER_PAGE = 50
EVENTS_PER_PAGE = 500
_MAX_PAGE_DIGITS = 9

_FOLDER = Path(__file__).parent
_LOOPBACK = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:\d{1,5})?", re.IGNORECASE)
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def routes(store: Store, projects: Callable[[], Sequence[Project]]) -> Mapping[str, Callable[[Incoming], Response]]:
    """Return what answers a GET of each path of the page."""

    def chosen(incoming: Incoming) -> views.Chosen:
        known = projects()
        named = incoming.query.get("project")
        found = next((project for project in known if named in {None, project.name}), None)
        if found is None:
            raise not_found(f"project {named!r}")
        return views.Chosen(found, tuple(known))

    def sessions(incoming: Incoming) -> str:
        where, number = chosen(incoming), _page_number(incoming)
        found = store.of(where.project).sessions(SESSIONS_PER_PAGE, SESSIONS_PER_PAGE * (number - 1))
        if number > 1 and not found.summaries:
            raise not_found(f"page {number} of the sessions")
        pages = views.Pages.of(number, SESSIONS_PER_PAGE, found.total)
        return _written(
            "sessions.html",
            chosen=where,
            sessions=[views.listed(summary) for summary in found.summaries],
            pages=pages,
            address=f"http://{incoming.headers['host']}",
        )

    def session(incoming: Incoming) -> str:
        where, number = chosen(incoming), _page_number(incoming)
        session_id = incoming.params["session_id"]
        found = trees.read(where.project, session_id, store.of(where.project))
        if found is None:
            raise not_found(f"session {session_id!r}")
        outline = tuple(trees.outline(*found))
        pages = views.Pages.of(number, EVENTS_PER_PAGE, len(outline))
        first = EVENTS_PER_PAGE * (number - 1)
        if first >= len(outline):
            raise not_found(f"page {number} of session {session_id!r}")
        return _written(
            "session.html",
            chosen=where,
            session=views.overview(*found),
            rows=views.rows(outline, first, first + EVENTS_PER_PAGE),
            pages=pages,
        )

    return {
        "/": _shown(sessions),
        "/sessions/{session_id:path}": _shown(session),
        "/page.css": _style,
    }


def _page_number(incoming: Incoming) -> int:
    text = incoming.query.get("page", "1")
    if not re.fullmatch(rf"[1-9][0-9]{{0,{_MAX_PAGE_DIGITS - 1}}}", text):
        raise bad_request("page must be a whole number from 1")
    return int(text)


def _shown(view: Callable[[Incoming], str]) -> Callable[[Incoming], Response]:
    """Make an answer of what a view writes; what goes wrong is told to a person, in words rather than JSON."""

    def answer(incoming: Incoming) -> Response:
        try:
            _require_loopback(incoming)
            return Response(view(incoming), 200, _HEADERS, "text/html")
        except Exception as error:
            known = translated(error)
            if known is None:
                raise
            return Response(_written("error.html", error=known), known.status, _HEADERS, "text/html")

    return answer


def _style(incoming: Incoming) -> Response:
    _require_loopback(incoming)
    return Response(_css(), 200, _HEADERS, "text/css")


def _require_loopback(incoming: Incoming) -> None:
    if not _LOOPBACK.fullmatch(incoming.headers.get("host", "")):
        raise ApiError(403, "this page answers at 127.0.0.1 and localhost only")


@functools.cache
def _css() -> str:
    return (_FOLDER / "templates" / "page.css").read_text(encoding="utf-8")


def _written(template: str, **values: Any) -> str:  # noqa: ANN401 - a template's values
    return _templates().get_template(template).render(values)


@functools.cache
def _templates() -> jinja2.Environment:
    # Heavy, and most services are never looked at.
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["query"] = _query
    return environment


def _query(**wanted: object) -> str:
    """Write the query of a link; what is None or nothing, and a first page, goes without saying."""
    said = {name: value for name, value in wanted.items() if value and (name, value) != ("page", 1)}
    return f"?{urlencode(said)}" if said else ""
