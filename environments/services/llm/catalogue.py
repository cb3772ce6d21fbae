"""The models that there are, as each family lists them.

Any name is a model unless `models.parse` refuses it; the list shows one name of each kind. Their dates are made up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from environments.services.llm import models
from environments.services.llm.http_errors import invalid

if TYPE_CHECKING:
    from collections.abc import Mapping

    from environments.services.http.json_types import JsonObject

_CREATED_S = 1_704_067_200
_CREATED = "2024-01-01T00:00:00Z"
_DEFAULT_PAGE, _MOST_PAGE = 20, 1000


def openai_list(_query: Mapping[str, str]) -> JsonObject:
    """List the models as OpenAI does."""
    return {"object": "list", "data": [openai_model(name) for name in models.LISTED]}


def openai_model(name: str) -> JsonObject:
    """Return one model as OpenAI does, or raise the 404."""
    models.parse(name)
    return {"id": name, "object": "model", "created": _CREATED_S, "owned_by": "system"}


def anthropic_list(query: Mapping[str, str]) -> JsonObject:
    """List a page of the models as Anthropic does."""
    names = list(models.LISTED)
    limit = _limit(query)
    after, before = query.get("after_id"), query.get("before_id")
    first = 0 if after is None else _place(names, after, "after_id") + 1
    last = len(names) if before is None else _place(names, before, "before_id")
    if after is None and before is not None:
        first = max(0, last - limit)
    page = names[first : min(last, first + limit)]
    more = first > 0 if after is None and before is not None else first + len(page) < last
    return {
        "data": [anthropic_model(name) for name in page],
        "has_more": more,
        "first_id": page[0] if page else None,
        "last_id": page[-1] if page else None,
    }


def anthropic_model(name: str) -> JsonObject:
    """Return one model as Anthropic does, or raise the 404."""
    models.parse(name)
    return {"type": "model", "id": name, "display_name": name, "created_at": _CREATED, "lifecycle": "active"}


def _limit(query: Mapping[str, str]) -> int:
    given = query.get("limit", str(_DEFAULT_PAGE))
    if not given.isascii() or not given.isdigit() or len(given) > len(str(_MOST_PAGE)):
        raise invalid(f"limit must be from 1 to {_MOST_PAGE}", "limit")
    if not 1 <= int(given) <= _MOST_PAGE:
        raise invalid(f"limit must be from 1 to {_MOST_PAGE}", "limit")
    return int(given)


def _place(names: list[str], name: str, param: str) -> int:
    if name not in names:
        raise invalid(f"{param} is none of the listed models", param)
    return names.index(name)
