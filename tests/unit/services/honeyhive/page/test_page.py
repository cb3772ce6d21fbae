from __future__ import annotations

import html
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from environments.services.honeyhive.page import EVENTS_PER_PAGE, SESSIONS_PER_PAGE
from tests.unit.services.honeyhive.running import Event, Service, answered, new_id, refused, span, started, supervised
from tests.unit.services.programs import ROOT, first_line

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def shown() -> Iterator[Service]:
    """Start a service with a page and two projects."""
    with supervised(page=True) as running:
        yield running


def looked_at(service: Service, path: str) -> str:
    """Return a page, as someone without a key gets it."""
    response = httpx.get(service.url + path)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    return response.text


def texts(page: str, css_class: str) -> list[str]:
    """Return the texts of the spans of a class, in order."""
    return [html.unescape(found) for found in re.findall(rf'<span class="{css_class}">([^<]*)</span>', page)]


def links(page: str) -> dict[str, str]:
    return {
        html.unescape(text): html.unescape(path) for path, text in re.findall(r'href="([^"]+)"[^>]*>([^<]+)<', page)
    }


def test_a_person_sees_the_page_without_a_key() -> None:
    with started("--project", "mine", "--api-key", "k") as process:
        url = first_line(process).split()[4]
        empty = httpx.get(f"{url}/")
        assert empty.status_code == 200
        assert "No sessions yet" in empty.text
        assert f"export HH_API_URL={url}" in empty.text
        headers = {"Authorization": "Bearer k"}
        answered(httpx.post(f"{url}/session/start", json={"session": {"session_name": "first"}}, headers=headers))
        assert "first" in links(httpx.get(f"{url}/").text)


def test_a_supervised_service_has_no_page_unless_told_to() -> None:
    with supervised() as service:
        for path in ("/", "/page.css", f"/sessions/{new_id()}"):
            assert refused(httpx.get(service.url + path))[0] == 404


def test_sessions_are_listed_newest_first_with_their_counts(shown: Service) -> None:
    old = shown.start_session(session_name="the old one", start_time=4_000_000_000_000)["session_id"]
    shown.start_session(session_name="the new one", start_time=4_000_000_000_001)
    shown.create_event(session_id=old, start_time=4_000_000_000_005, error="no luck")
    page = looked_at(shown, "/")
    assert 0 < page.index("the new one") < page.index("the old one")
    row = page[page.index("the old one") :].partition("</tr>")[0]
    assert re.findall(r'class="number">(?:<span class="failed">)?(\d+)', row) == ["1", "1"]
    assert "2096-10-02 07:06:40" in row


def test_a_session_that_nobody_started_is_listed_and_shown(shown: Service) -> None:
    session_id = new_id()
    late = "5000000000000000000"
    answered(shown.send(span("orphan", session_id, startTimeUnixNano=late, endTimeUnixNano=late)))
    path = links(looked_at(shown, "/"))["(not started)"]
    assert session_id in path
    assert texts(looked_at(shown, path), "name") == ["unknown", "orphan"]


def test_a_session_is_shown_as_its_tree_from_the_top_down(shown: Service) -> None:
    session_id = shown.start_session(session_name="root")["session_id"]
    parent = shown.create_event(session_id=session_id, event_name="parent", event_type="chain", start_time=10)
    shown.create_event(session_id=session_id, event_name="sibling", start_time=30)
    shown.create_event(session_id=session_id, event_name="child", parent_id=parent, start_time=20, event_type="model")
    page = looked_at(shown, f"/sessions/{session_id}")
    assert texts(page, "name") == ["root", "parent", "child", "sibling"]
    assert re.findall(r"level \d", page) == ["level 1", "level 2", "level 3", "level 2"]


def test_an_event_shows_inputs_outputs_error_and_duration(shown: Service) -> None:
    session_id = shown.start_session()["session_id"]
    shown.create_event(
        session_id=session_id,
        inputs={"question": "Why?\nHow?"},
        outputs={"answers": [1, {"deep": True}]},
        error="out of luck",
        duration=1234.5,
    )
    page = html.unescape(looked_at(shown, f"/sessions/{session_id}"))
    assert '<p class="prose">Why?\nHow?</p>' in page
    assert '[\n  1,\n  {\n    "deep": true\n  }\n]' in page
    assert '<p class="error">out of luck</p>' in page
    assert texts(page, "duration") == ["0 ms", "1.23 s"]
    # What failed is unfolded from the start.
    assert "<details open>" in page


HOSTILE = "</title></textarea><script>alert('x')</script>\"'><img src=x onerror=alert(1)>"


def test_nothing_that_was_sent_becomes_markup(shown: Service) -> None:
    everything: Event = {bucket: {HOSTILE: HOSTILE, "list": [HOSTILE]} for bucket in ("inputs", "outputs", "metadata")}
    everything["config"] = {"chat_history": [{"role": HOSTILE, "content": HOSTILE}]}
    answered(shown.post("/session/start", {"session": {"session_name": HOSTILE, "session_id": HOSTILE, **everything}}))
    shown.create_event(session_id=HOSTILE, event_name=HOSTILE, error=HOSTILE, source=HOSTILE, **everything)
    front = looked_at(shown, "/")
    for page in (front, looked_at(shown, links(front)[HOSTILE])):
        assert HOSTILE in html.unescape(page)
        assert not re.search(r"<(script|img|/textarea)", page)
        assert page.count("</title>") == 1


def test_a_page_brings_no_script_and_loads_nothing_from_elsewhere(shown: Service) -> None:
    response = httpx.get(f"{shown.url}/")
    policy = response.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'self';")
    assert "unsafe" not in policy
    assert response.headers["cache-control"] == "no-store"
    assert not re.search(r"<script|style=|https?://(?!127)", response.text)
    css = httpx.get(f"{shown.url}/page.css")
    assert css.headers["content-type"].startswith("text/css")
    assert not re.search(r"url\(|@import", css.text)


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", "10.0.0.1"])
def test_a_website_whose_name_leads_here_sees_nothing(shown: Service, host: str) -> None:
    shown.start_session(session_name="a secret")
    for path in ("/", "/page.css"):
        response = httpx.get(shown.url + path, headers={"Host": host})
        assert response.status_code == 403
        assert "a secret" not in response.text


def test_localhost_by_name_sees_the_page(shown: Service) -> None:
    assert httpx.get(shown.url.replace("127.0.0.1", "localhost") + "/").status_code == 200


def test_with_several_projects_each_shows_its_own(shown: Service) -> None:
    session_id = shown.start_session(session_name="of project one")["session_id"]
    headers = {"Authorization": "Bearer key-two"}
    body = {"session": {"session_name": "of project two"}}
    answered(httpx.post(f"{shown.url}/session/start", json=body, headers=headers))
    choice = links(looked_at(shown, "/"))
    assert (choice["one"], choice["two"]) == ("/?project=one", "/?project=two")
    two = looked_at(shown, choice["two"])
    assert "of project two" in two
    assert "of project one" not in two
    assert links(two)["of project two"].endswith("?project=two")
    assert httpx.get(f"{shown.url}/sessions/{session_id}?project=two").status_code == 404
    assert httpx.get(f"{shown.url}/?project=three").status_code == 404


@pytest.mark.parametrize(
    ("path", "status", "told"),
    [
        ("/sessions/nowhere<b>", 404, "session 'nowhere<b>' not found"),
        ("/?page=0", 400, "page must be a whole number from 1"),
        ("/?page=1e3", 400, "page must be a whole number from 1"),
        ("/?page=999999999", 404, "page 999999999 of the sessions not found"),
    ],
)
def test_what_cannot_be_shown_is_told_in_words(shown: Service, path: str, status: int, told: str) -> None:
    response = httpx.get(shown.url + path)
    assert response.status_code == status
    assert response.headers["content-type"].startswith("text/html")
    assert told in html.unescape(response.text)
    assert "<b>" not in response.text


def test_many_sessions_and_many_events_are_cut_into_pages() -> None:
    with supervised(page=True, projects=[{"name": "one", "keys": ["key-one"]}]) as service:
        for number in range(SESSIONS_PER_PAGE + 1):
            session_id = service.start_session(session_name=f"s{number}")["session_id"]
        front = looked_at(service, "/")
        older = looked_at(service, links(front)["Older →"])
        assert f"{SESSIONS_PER_PAGE} of {SESSIONS_PER_PAGE + 1} sessions" in front
        assert "s0" in links(older)
        assert links(older)["← Newer"] == "/"

        events = [{"event_type": "tool", "event_name": f"e{number}", "inputs": {}} for number in range(EVENTS_PER_PAGE)]
        body = {"events": [{**event, "session_id": session_id} for event in events]}
        answered(service.post("/events/batch", body))
        first = looked_at(service, f"/sessions/{session_id}")
        second = looked_at(service, links(first)["On →"])
        names = texts(first, "name") + texts(second, "name")
        assert names == [f"s{SESSIONS_PER_PAGE}", *(event["event_name"] for event in events)]


def test_a_trace_deeper_than_a_browser_nests_is_shown(shown: Service) -> None:
    session_id = parent = shown.start_session()["session_id"]
    new: list[Event] = []
    for number in range(400):
        new.append({"event_type": "tool", "event_id": new_id(), "inputs": {}, "event_name": f"d{number}"})
        new[-1] |= {"parent_id": parent, "session_id": session_id}
        parent = new[-1]["event_id"]
    answered(shown.post("/events/batch", {"events": new}))
    page = looked_at(shown, f"/sessions/{session_id}")
    assert texts(page, "name")[-1] == "d399"
    assert "level 401" in page


def test_without_a_browser_its_tests_fail_and_name_the_remedy(tmp_path: Path) -> None:
    beside = Path(__file__).with_name("test_in_browser.py")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-m", "browser", "-k", "script", "-p", "no:cacheprovider", str(beside)],
        cwd=ROOT,
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "install one, for example `apt-get install chromium`" in done.stdout
    assert not re.search(r"\d skipped", done.stdout)
