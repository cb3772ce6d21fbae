"""Sweep what killed runs left in an environment. `nox -s cleanup -- <environment> [--older-than 1d] [--dry-run]`.

What a test creates is named after its run, and deleted when the test ends. A run that was killed deletes nothing: this
finds it by its name, and by its age, so that runs that are going on keep theirs. It looks in one project, the
profile's, and touches nothing whose name begins otherwise.
"""

from __future__ import annotations

import argparse
import datetime as dt
import re
import ssl
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx

from environments import profiles, project
from environments.errors import FAILED, EnvironmentUnreachable, UsageError, exit_on_error
from environments.inside.target import RUN_PREFIX
from environments.matrix import Environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from environments.profiles import Profile

_DEFAULT_AGE = "1d"
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_TIMEOUT_S = 30
_PAGE = 100
# The time in a run's id, as `lineage.new_run_id` writes it.
_RUN = re.compile(re.escape(RUN_PREFIX) + r"(\d{8}T\d{6})-")

_Found = dict[str, Any]


@dataclass(frozen=True)
class Leftover:
    """Something that a run left: what it is, how it is deleted, and since when it is there, where that is known."""

    kind: str
    name: str
    path: str
    since: dt.datetime | None

    def older_than(self, age: dt.timedelta, now: dt.datetime) -> bool:
        """Return whether it may go. What is of an unknown age may belong to a run that is going on."""
        return self.since is not None and now - self.since >= age


def since(name: str, created_at: object) -> dt.datetime | None:
    """Return when something was made: its run's name says so; else, for runs with an id of another's, the server."""
    run = _RUN.match(name)
    try:
        if run:
            return dt.datetime.strptime(run.group(1), "%Y%m%dT%H%M%S").replace(tzinfo=dt.UTC)
        told = dt.datetime.fromisoformat(str(created_at))
    except ValueError:
        return None
    return told if told.tzinfo else told.replace(tzinfo=dt.UTC)


def age(text: str) -> dt.timedelta:
    """Read an age such as `90m`, `12h`, `1d` or `2w`."""
    read = re.fullmatch(r"(\d{1,6})([mhdw])", text)
    if read is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no age: write 90m, 12h, 1d or 2w")
    return dt.timedelta(**{_UNITS[read.group(2)]: int(read.group(1))})


class Api:
    """One project of an environment, over plain HTTP, no faster than the profile allows. Close it."""

    def __init__(self, base_url: str, api_key: str, pause_s: float = 0.0, authority: Path | None = None) -> None:
        headers = {"Authorization": f"Bearer {api_key}"}
        verified = ssl.create_default_context(cafile=authority)
        self._http = httpx.Client(base_url=base_url, headers=headers, timeout=_TIMEOUT_S, verify=verified)
        self._pause_s = pause_s

    def close(self) -> None:
        self._http.close()

    def ask(self, method: str, path: str, **more: Any) -> Any:  # noqa: ANN401 - JSON
        """Return what the environment answers. Raises httpx.HTTPError."""
        time.sleep(self._pause_s)
        return self._http.request(method, path, **more).raise_for_status().json()


def leftovers(api: Api) -> Iterator[Leftover]:
    """Find everything of this project's runs, in the order in which it can be deleted."""
    yield from _runs(api)
    for session in _paged(api, "POST", "/v1/events/export", "events"):
        if _ours(session, "event_name"):
            yield _leftover("session", session, _path("sessions", session["session_id"]), "event_name")
    yield from _datasets(api)
    for kind, key in _PLAIN.items():
        for one in filter(_ours, _listed(api, f"/v1/{kind}s", key)):
            yield _leftover(kind, one, _path(f"{kind}s", one["id"]))


def _path(kind: str, name: object) -> str:
    # Tests choose some ids themselves: one with a / or a ? must not delete something else.
    return f"/v1/{kind}/{quote(str(name), safe='')}"


def _runs(api: Api) -> Iterator[Leftover]:
    for run in filter(_ours, _paged(api, "GET", "/v1/runs", "evaluations")):
        # The sessions of evaluate() have names of the SDK's choice.
        for session_id in run["event_ids"]:
            yield _leftover("session", run, _path("sessions", session_id))
        yield _leftover("run", run, _path("runs", run["run_id"]))


def _datasets(api: Api) -> Iterator[Leftover]:
    datasets = list(filter(_ours, _listed(api, "/v1/datasets", "datasets")))
    names = {dataset["id"]: dataset["name"] for dataset in datasets}
    for datapoint in _listed(api, "/v1/datapoints", "datapoints"):
        # A datapoint has no name: its test writes one into the metadata, or it is in a dataset that has one.
        linked = (names[one] for one in datapoint.get("linked_datasets") or () if one in names)
        named = {**datapoint, "name": (datapoint.get("metadata") or {}).get("created_by") or next(linked, "")}
        if _ours(named):
            yield _leftover("datapoint", named, _path("datapoints", datapoint["id"]))
    for dataset in datasets:
        yield _leftover("dataset", dataset, f"/v1/datasets?dataset_id={quote(str(dataset['id']), safe='')}")


# What is listed in one answer, under which key, and deleted by its path.
_PLAIN = {"metric": "metrics", "configuration": "configurations", "chart": "data", "queue": "queues"}


def _listed(api: Api, path: str, key: str) -> list[_Found]:
    answer = api.ask("GET", path)
    # Bare in HoneyHive's own document, under a key in every release of the SDK.
    return list(answer if isinstance(answer, list) else answer[key])


def _paged(api: Api, method: str, path: str, key: str) -> list[_Found]:
    found: list[_Found] = []
    # To the end before anything is deleted: pages shift.
    for number in range(1, sys.maxsize):
        page: _Found = {"page": number, "limit": _PAGE}
        wanted = {"field": "event_type", "operator": "is", "value": "session", "type": "string"}
        more = {"params": page} if method == "GET" else {"json": {**page, "filters": [wanted]}}
        listed = api.ask(method, path, **more)[key]
        found += listed
        if len(listed) < _PAGE:
            break
    return found


def _ours(one: _Found, key: str = "name") -> bool:
    return str(one.get(key) or "").startswith(RUN_PREFIX)


def _leftover(kind: str, one: _Found, path: str, key: str = "name") -> Leftover:
    created_at = one.get("created_at") or one.get("start_time")
    return Leftover(kind, one[key], path, since(one[key], created_at))


@dataclass(frozen=True)
class Order:
    """What the command line asks for."""

    environment: Environment
    older_than: dt.timedelta
    dry_run: bool


def sweep(api: Api, order: Order, say: Callable[[str], None]) -> int:
    """Delete what is old enough, say what happens to each, and return how much could not be deleted."""
    now = dt.datetime.now(dt.UTC)
    counts = {"deleted": 0, "left": 0, "failed": 0}
    # A session that two lists name is one.
    for one in {found.path: found for found in leftovers(api)}.values():
        what = f"{one.kind} {one.name}" + ("" if one.since is None else f" ({one.since:%Y-%m-%d %H:%M} UTC)")
        if not one.older_than(order.older_than, now):
            counts["left"] += 1
        elif order.dry_run:
            counts["deleted"] += 1
            say(f"would delete the {what}")
        else:
            failure = _delete(api, one)
            counts["failed" if failure else "deleted"] += 1
            say(f"could not delete the {what}: {failure}" if failure else f"deleted the {what}")
    verb = "would be deleted" if order.dry_run else "deleted"
    failed = f", {counts['failed']} could not be" if counts["failed"] else ""
    say(f"{order.environment}: {counts['deleted']} {verb}{failed}; {counts['left']} left, younger or of unknown age")
    return counts["failed"]


def _delete(api: Api, one: Leftover) -> str:
    """Delete one thing and return why it could not be; what is gone already is deleted."""
    try:
        api.ask("DELETE", one.path)
    except httpx.HTTPStatusError as error:
        status = error.response.status_code
        return "" if status == httpx.codes.NOT_FOUND else f"HTTP {status}"
    except ValueError:
        return ""  # deleted, and answered without JSON
    except httpx.HTTPError as error:
        return f"{type(error).__name__}: {error}"
    return ""


def _ordered(argv: Sequence[str]) -> Order:
    parser = argparse.ArgumentParser(prog="nox -s cleanup --", description="Sweep what killed runs left.")
    parser.add_argument("environment", choices=[environment.value for environment in Environment])
    parser.add_argument(
        "--older-than", type=age, default=_DEFAULT_AGE, metavar="AGE",
        help=f"what is younger stays: 90m, 12h, 1d, 2w (default: {_DEFAULT_AGE})",
    )  # fmt: skip
    parser.add_argument("--dry-run", action="store_true", help="say what would be deleted, and delete nothing")
    given = parser.parse_args(argv)
    return Order(Environment(given.environment), given.older_than, given.dry_run)


def _refuse_production(environment: Environment) -> None:
    if environment is Environment.PRODUCTION:
        raise UsageError(
            "production is only ever read: no run creates anything there, and nothing is deleted",
            expected="development or staging",
            remedy="name the environment that the killed run wrote to",
        )


def _reached(profile: Profile) -> Api:
    assert profile.writable  # a writable profile has refused production's host by now
    assert profile.base_url is not None  # else it were embedded
    assert profile.api_key is not None  # the profile insists on one
    pace = profile.limits.requests_per_second
    authority = profile.ca_file if isinstance(profile, profiles.Staging) else None
    return Api(profile.base_url, profile.api_key.get_secret_value(), 0.0 if pace is None else 1 / pace, authority)


@exit_on_error
def main() -> int:
    """Sweep the environment that the command line names; 1 where something could not be deleted."""
    order = _ordered(sys.argv[1:])
    _refuse_production(order.environment)
    profile = profiles.load(order.environment, project.ROOT)
    if profile.embedded:
        print("development: nothing to sweep. Each cell's embedded service goes with its cell, and with all it held.")
        print("  Set HH_DEV_BASE_URL and HH_DEV_API_KEY to sweep a development server of your own.")
        return 0
    api = _reached(profile)
    try:
        failed = sweep(api, order, lambda line: print(line, flush=True))
    except (httpx.HTTPError, ValueError, LookupError, TypeError, AttributeError) as error:
        status = f"HTTP {error.response.status_code}" if isinstance(error, httpx.HTTPStatusError) else repr(error)
        raise EnvironmentUnreachable(
            f"{order.environment} at {profile.base_url} does not list what is there: {status}",
            remedy="check the URL and the key, and that the server answers",
        ) from None
    finally:
        api.close()
    return FAILED if failed else 0


if __name__ == "__main__":
    sys.exit(main())
