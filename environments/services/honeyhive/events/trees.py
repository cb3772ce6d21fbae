"""A session's events as one tree, with the sums that HoneyHive keeps on the session.

The tree is written as text, one node at a time: traces nest deeper than a JSON writer recurses.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, cast

from environments.services.honeyhive.events.event import NS_PER_MS, session_of
from environments.services.honeyhive.events.rollups import Rollup
from environments.services.http.json_types import JsonObject, dump

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from environments.services.honeyhive.storage.keys import Project
    from environments.services.honeyhive.storage.store import ProjectStore


def of_session(project: Project, session_id: str, store: ProjectStore) -> str | None:
    """Read and write the tree of a session; None where it has no events. A session nobody started gets a root."""
    found = read(project, session_id, store)
    return written(*found) if found else None


def read(project: Project, session_id: str, store: ProjectStore) -> tuple[JsonObject, Sequence[JsonObject]] | None:
    """Read the root of a session and its other events."""
    found = store.session(session_id)
    if not found:
        return None
    root = next((event for event in found if _id(event) == session_id), None)
    others = [event for event in found if event is not root]
    if root is None:
        first_ns = int(min(cast("float", event["start_time"]) for event in found) * NS_PER_MS)
        root = session_of(session_id, "", str(found[0]["source"]), first_ns).document(project)
    return root, others


def written(root: JsonObject, others: Sequence[JsonObject]) -> str:
    """Write the tree of a session. Every event is in it once: one whose parent is unknown hangs on the root."""
    return "".join(_pieces(Rollup.of(others).on(root), _children(root, others)))


def outline(root: JsonObject, others: Sequence[JsonObject]) -> Iterator[tuple[int, JsonObject]]:
    """Walk the tree from the top down, each event with its depth."""
    children = _children(root, others)
    waiting = [(0, root)]
    while waiting:
        depth, event = waiting.pop()
        yield depth, event
        waiting.extend((depth + 1, child) for child in reversed(children.get(_id(event), ())))


def _children(root: JsonObject, others: Iterable[JsonObject]) -> dict[str, list[JsonObject]]:
    by_id = {_id(event): event for event in others}
    children = defaultdict(list)
    for event in others:
        parent = str(event["parent_id"])
        children[parent if parent in by_id else _id(root)].append(event)
    # Events that are their own ancestors are reachable from nowhere: hang those on the root too.
    reached = _reachable(_id(root), children)
    for event_id, event in by_id.items():
        if event_id not in reached:
            children[str(event["parent_id"])].remove(event)
            children[_id(root)].append(event)
            reached |= _reachable(event_id, children) | {event_id}
    return children


def _reachable(start: str, children: dict[str, list[JsonObject]]) -> set[str]:
    reached: set[str] = set()
    waiting = [start]
    while waiting:
        new = [_id(child) for child in children.get(waiting.pop(), ()) if _id(child) not in reached]
        reached.update(new)
        waiting.extend(new)
    return reached


def _pieces(root: JsonObject, children: dict[str, list[JsonObject]]) -> Iterator[str]:
    waiting: list[JsonObject | str] = [root]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            yield item
            continue
        yield dump(item)[:-1] + ',"children":['
        waiting.append("]}")
        for index, child in enumerate(reversed(children.get(_id(item), ()))):
            waiting.extend([child] if index == 0 else [",", child])


def _id(event: JsonObject) -> str:
    return str(event["event_id"])
