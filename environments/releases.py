"""releases.json: the releases of the SDK, refreshed from the package index. `nox -s releases` runs this."""

from __future__ import annotations

import dataclasses
import difflib
import json
import os
import sys
from typing import Any

from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import Version

from environments import project
from environments.errors import IndexUnreachable, exit_on_error
from environments.matrix import Release

# The Simple API as JSON (PEP 691), whose `upload-time` came with PEP 700.
DEFAULT_INDEX = "https://pypi.org/simple"
_UNCHANGED = "check the network and try again; environments/releases.json is unchanged"
ACCEPT = "application/vnd.pypi.simple.v1+json"


def fetch() -> Any:  # noqa: ANN401 - JSON
    """Ask the package index for every file of honeyhive. Raises IndexUnreachable."""
    import httpx

    # The same variable that points uv, and so every cell's install, at another index.
    index = os.environ.get("UV_DEFAULT_INDEX", DEFAULT_INDEX).rstrip("/")
    try:
        answer = httpx.get(f"{index}/honeyhive/", headers={"Accept": ACCEPT}, timeout=30, follow_redirects=True)
        answer.raise_for_status()
        page = answer.json()
    except (httpx.HTTPError, ValueError) as error:
        # httpx names the URL with the credentials that an index may have in it.
        told = str(error).replace(httpx.URL(index).userinfo.decode() + "@", "")
        raise IndexUnreachable(
            f"the package index did not list the releases of honeyhive: {told}", remedy=_UNCHANGED
        ) from None
    return page


def parse_index(page: Any) -> tuple[Release, ...]:  # noqa: ANN401 - JSON
    """Turn an index page into releases, oldest first: those from 1.0.0 on that have a wheel.

    Raises IndexUnreachable.
    """
    try:
        found = [release for file in page["files"] if (release := _release(file)) is not None]
    except (KeyError, TypeError) as error:
        lacks = f": it lacks {error}" if isinstance(error, KeyError) else ""
        raise IndexUnreachable(
            f"the package index answered something that is no list of files{lacks}", remedy=_UNCHANGED
        ) from None
    if not found:
        raise IndexUnreachable("the package index lists no wheel of honeyhive from 1.0.0 on", remedy=_UNCHANGED)
    return tuple(sorted(found, key=lambda release: Version(release.version)))


def _release(file: dict[str, Any]) -> Release | None:
    try:
        _, version, _, _ = parse_wheel_filename(file["filename"])
    except InvalidWheelFilename:
        return None
    if version < Version("1.0.0"):
        return None
    return Release(
        version=str(version),
        requires_python=file.get("requires-python") or ">=3.11",
        # Microseconds differ between mirrors of the index.
        uploaded=str(file["upload-time"])[:19] + "Z",
        yanked=bool(file.get("yanked")),
        sha256=file["hashes"]["sha256"],
    )


def render(releases: tuple[Release, ...]) -> str:
    """Return the text of releases.json."""
    return json.dumps([dataclasses.asdict(release) for release in releases], indent=2) + "\n"


@exit_on_error
def main() -> int:
    """Refresh releases.json and show what changed."""
    print("asking the package index for the releases of honeyhive …", flush=True)
    new = render(parse_index(fetch()))
    old = project.RELEASES.read_text(encoding="utf-8") if project.RELEASES.exists() else ""
    if new == old:
        print("environments/releases.json is up to date")
        return 0
    project.RELEASES.write_text(new, encoding="utf-8")
    sys.stdout.writelines(
        difflib.unified_diff(old.splitlines(keepends=True), new.splitlines(keepends=True), "before", "now")
    )
    print("environments/releases.json is refreshed; `nox -s plan` shows what runs now, `nox -s lock` follows")
    return 0


if __name__ == "__main__":
    sys.exit(main())
