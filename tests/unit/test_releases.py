from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from environments import project
from environments.releases import ACCEPT, parse_index, render
from tests.unit.trees import Ended, copy_to, run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def _file(filename: str, **changes: object) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "filename": filename,
        "requires-python": ">=3.11",
        "upload-time": "2026-05-05T03:10:25.123456Z",
        "yanked": False,
        "hashes": {"sha256": filename},
    }
    facts |= {name.replace("_", "-"): value for name, value in changes.items()}
    return {name: value for name, value in facts.items() if value is not None}


def _wheel(version: str, **changes: object) -> dict[str, Any]:
    return _file(f"honeyhive-{version}-py3-none-any.whl", **changes)


def _page(*files: dict[str, Any]) -> dict[str, Any]:
    return {"meta": {"api-version": "1.1"}, "name": "honeyhive", "files": list(files)}


# ---- Reading a page ------------------------------------------------------------------------------------


def test_releases_are_sorted_as_versions() -> None:
    found = parse_index(_page(*map(_wheel, ("1.10.0", "1.9.0", "1.10.0rc1"))))

    assert [release.version for release in found] == ["1.9.0", "1.10.0rc1", "1.10.0"]


@pytest.mark.parametrize("filename", ["honeyhive-1.0.0.tar.gz", "honeyhive-1.0.0.zip", "honeyhive-1.0.0.egg", "x.whl"])
def test_what_is_no_wheel_is_left_out(filename: str) -> None:
    assert [release.version for release in parse_index(_page(_file(filename), _wheel("1.1.0")))] == ["1.1.0"]


def test_releases_before_1_0_0_are_left_out() -> None:
    found = parse_index(_page(*map(_wheel, ("0.9.9", "1.0.0rc1", "1.0.0"))))

    assert [release.version for release in found] == ["1.0.0"]


@pytest.mark.parametrize(
    ("yanked", "read"), [(False, False), (True, True), ("broken", True), ("", False), (None, False)]
)
def test_a_yanked_release_is_marked_whatever_the_reason(yanked: object, *, read: bool) -> None:
    (release,) = parse_index(_page(_wheel("1.0.0", yanked=yanked)))

    assert release.yanked is read


def test_a_release_has_its_facts() -> None:
    (release,) = parse_index(_page(_wheel("1.0.0", requires_python=">=3.12", hashes={"sha256": "ab", "md5": "cd"})))

    assert (release.requires_python, release.uploaded, release.sha256) == (">=3.12", "2026-05-05T03:10:25Z", "ab")


def test_a_release_that_names_no_python_runs_on_all_of_ours() -> None:
    (release,) = parse_index(_page(_wheel("1.0.0", requires_python=None)))

    assert release.requires_python == ">=3.11"


def test_what_is_rendered_is_what_is_kept() -> None:
    assert render(project.load_releases()) == project.RELEASES.read_text(encoding="utf-8")


# ---- The command ---------------------------------------------------------------------------------------


class _Index(ThreadingHTTPServer):
    """A package index of one project."""

    daemon_threads = True
    page: bytes = b""
    status = 200
    asked: list[tuple[str, str | None]]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/simple"


class _Handler(BaseHTTPRequestHandler):
    server: _Index

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers["Accept"]))
        self.send_response(self.server.status)
        self.send_header("Content-Type", ACCEPT)
        self.end_headers()
        self.wfile.write(self.server.page)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def _serving() -> Iterator[_Index]:
    with _Index(("127.0.0.1", 0), _Handler) as index:
        index.asked = []
        thread = threading.Thread(target=index.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield index
        finally:
            index.shutdown()
            thread.join()


@pytest.fixture
def index() -> Iterator[_Index]:
    """Serve a package index."""
    with _serving() as index:
        index.page = json.dumps(_page(_wheel("1.0.0"), _wheel("1.1.0"))).encode()
        yield index


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Copy this project: its own releases.json stays as it is."""
    return copy_to(tmp_path / "tree")


def _refresh(tree: Path, index: str) -> Ended:
    return run(tree, "-m", "environments.releases", UV_DEFAULT_INDEX=index)


def _kept(tree: Path) -> str:
    return (tree / "environments" / "releases.json").read_text(encoding="utf-8")


def test_a_refresh_asks_the_index_that_uv_would_ask(tree: Path, index: _Index) -> None:
    ended = _refresh(tree, f"{index.url}/")

    assert ended.status == 0, ended
    assert index.asked == [("/simple/honeyhive/", ACCEPT)]


def test_a_refresh_writes_what_changed_and_shows_it(tree: Path, index: _Index) -> None:
    ended = _refresh(tree, index.url)

    assert ended.status == 0, ended
    assert [entry["version"] for entry in json.loads(_kept(tree))] == ["1.0.0", "1.1.0"]
    assert '-    "version": "1.7.0",\n' in ended.out
    assert "environments/releases.json is refreshed" in ended.out


def test_a_second_refresh_says_that_all_is_up_to_date(tree: Path, index: _Index) -> None:
    _refresh(tree, index.url)
    before = _kept(tree)

    ended = _refresh(tree, index.url)

    assert ended.status == 0, ended
    assert "environments/releases.json is up to date" in ended.out
    assert _kept(tree) == before


def test_a_refresh_makes_a_file_that_is_missing(tree: Path, index: _Index) -> None:
    (tree / "environments" / "releases.json").unlink()

    assert _refresh(tree, index.url).status == 0
    assert len(json.loads(_kept(tree))) == 2


NO_LISTS = {
    "an error": (503, b"out of order", "503 Service Unavailable"),
    "no such project": (404, b"", "404 Not Found"),
    "a page for people": (200, b"<html>", "did not list the releases of honeyhive"),
    "something else": (200, b"[]", "answered something that is no list of files"),
    "files that are no list": (200, b'{"files": 3}', "answered something that is no list of files"),
    "files that are none": (200, b'{"files": ["honeyhive-1.0.0-py3-none-any.whl"]}', "is no list of files"),
    "files without upload times": (
        200,
        json.dumps(_page(_wheel("1.0.0", upload_time=None))).encode(),
        "answered something that is no list of files: it lacks 'upload-time'",
    ),
    "files without hashes": (
        200,
        json.dumps(_page(_wheel("1.0.0", hashes={}))).encode(),
        "answered something that is no list of files: it lacks 'sha256'",
    ),
    "no wheels": (200, json.dumps(_page(_file("honeyhive-1.0.0.tar.gz"))).encode(), "lists no wheel of honeyhive"),
}


@pytest.mark.parametrize("what", NO_LISTS)
def test_an_answer_that_is_no_list_of_releases_changes_nothing(tree: Path, index: _Index, what: str) -> None:
    index.status, index.page, says = NO_LISTS[what]
    before = _kept(tree)

    ended = _refresh(tree, index.url)

    assert ended.status == 3, ended
    assert ended.err.startswith("error: the package index")
    assert says in ended.err
    assert "Traceback" not in ended.err
    assert _kept(tree) == before


def test_an_index_that_is_down_changes_nothing(tree: Path) -> None:
    with _serving() as index:
        url = index.url
    before = _kept(tree)

    ended = _refresh(tree, url)

    assert ended.status == 3, ended
    assert ended.err.startswith("error: the package index did not list the releases of honeyhive: ")
    assert "environments/releases.json is unchanged" in ended.err
    assert _kept(tree) == before


def test_the_credentials_of_an_index_are_not_shown(tree: Path, index: _Index) -> None:
    index.status = 403

    ended = _refresh(tree, index.url.replace("://", "://user:hh_canary_123456@"))

    assert ended.status == 3, ended
    assert "403 Forbidden" in ended.err
    assert "canary" not in ended.out + ended.err
