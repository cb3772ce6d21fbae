"""The page, in a real browser: the system's Chromium, which `nox -s browser` drives."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.unit.services.honeyhive.running import Service, new_id, supervised

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
HOSTILE = "<script>document.title = 'taken over'</script>"
LONG = "a very long name " * 40 + "unbroken" * 60


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start the system's browser. Without one the tests fail: a skipped check would look like a passed one."""
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None:
        pytest.fail(f"none of {', '.join(_NAMES)} is on PATH; install one, for example `apt-get install chromium`")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=found, args=list(_FLAGS))
        yield started
        started.close()


@pytest.fixture(scope="module")
def session() -> Iterator[tuple[Service, str]]:
    """Serve one session: a chain of a failed tool with a hostile name, a model call and a long text."""
    with supervised(page=True, projects=[{"name": "one", "keys": ["key-one"]}]) as service:
        session_id = service.start_session(session_name="to be looked at")["session_id"]
        chain = new_id()
        service.create_event(session_id=session_id, event_name="plan", event_type="chain", event_id=chain)
        inside = {"session_id": session_id, "parent_id": chain}
        service.create_event(**inside, event_name=HOSTILE, error=f"failed with {HOSTILE}")
        chat = {"chat_history": [{"role": "user", "content": "Where is my order?"}]}
        service.create_event(**inside, event_name="chat", event_type="model", inputs=chat, outputs={"answer": "Here."})
        service.create_event(**inside, event_name=LONG, inputs={"text": "word" * 5000}, outputs={"t": [LONG]})
        yield service, session_id


@pytest.fixture(params=["light", "dark"])
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """Open an empty page in each colour scheme. What the browser complains about, it fails with."""
    context = browser.new_context(color_scheme=request.param)
    opened = context.new_page()
    opened.set_default_timeout(5000)
    complaints: list[str] = []
    opened.on("console", lambda message: complaints.append(message.text))
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    yield opened
    context.close()
    assert complaints == []


def test_links_lead_to_a_session_and_back(page: Page, session: tuple[Service, str]) -> None:
    page.goto(session[0].url)
    page.get_by_role("link", name="to be looked at").click()
    assert page.url.endswith(session[1])
    assert page.get_by_role("heading", level=1).inner_text() == "to be looked at"
    page.get_by_role("link", name="Sessions of one").click()
    assert page.get_by_role("heading", level=1).inner_text() == "Sessions"


def test_a_script_in_a_name_is_shown_as_text(page: Page, session: tuple[Service, str]) -> None:
    page.goto(f"{session[0].url}/sessions/{session[1]}")
    assert page.get_by_text(HOSTILE, exact=True).is_visible()
    assert page.get_by_text(f"failed with {HOSTILE}").is_visible()
    assert page.title() == "to be looked at · one"


def test_the_keyboard_alone_unfolds_an_event(page: Page, session: tuple[Service, str]) -> None:
    page.goto(f"{session[0].url}/sessions/{session[1]}")
    message = page.get_by_text("Where is my order?")
    assert not message.is_visible()
    for _ in range(20):
        page.keyboard.press("Tab")
        focused = page.evaluate("document.activeElement.innerText")
        outlined = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outlined == "solid", f"nothing shows that {focused!r} has the focus"
        if focused.startswith("model"):
            break
    page.keyboard.press("Enter")
    assert message.is_visible()


def test_without_javascript_events_unfold_too(browser: Browser, session: tuple[Service, str]) -> None:
    page = browser.new_page(java_script_enabled=False)
    page.goto(f"{session[0].url}/sessions/{session[1]}")
    page.locator("summary", has_text="chat").click()
    assert page.get_by_text("Where is my order?").is_visible()
    page.close()


@pytest.mark.parametrize("width", [320, 700, 1400])
def test_no_width_makes_the_page_scroll_sideways(page: Page, session: tuple[Service, str], width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    for path in ("/", f"/sessions/{session[1]}"):
        page.goto(session[0].url + path)
        # From the last, as each that opens leaves the list.
        for folded in reversed(page.locator(".tree > li > details:not([open]) > summary").all()):
            folded.click()
        assert page.evaluate("document.documentElement.scrollWidth") == width


def test_colours_follow_the_system_and_can_be_read(page: Page, session: tuple[Service, str]) -> None:
    page.goto(f"{session[0].url}/sessions/{session[1]}")
    dark = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    assert (page.evaluate(_LUMINANCE, "body")[1] < 0.2) is dark
    types = [f".{name} .type" for name in ("session", "chain", "model", "tool:not(.failed)", "failed")]
    for selector in ("h1", ".identity", ".duration", ".error", ".facts dt", *types):
        ink, ground = page.evaluate(_LUMINANCE, selector)
        contrast = (max(ink, ground) + 0.05) / (min(ink, ground) + 0.05)
        # WCAG 2.2, level AA, for text of this size.
        assert contrast >= 4.5, f"{selector}: {contrast:.2f}"


def test_paper_shows_what_is_folded_on_the_screen(page: Page, session: tuple[Service, str]) -> None:
    page.goto(f"{session[0].url}/sessions/{session[1]}")
    page.emulate_media(media="print")
    assert page.get_by_text("Where is my order?").is_visible()
    assert page.evaluate(_LUMINANCE, "h1")[0] < 0.2


# Relative luminance, as WCAG defines it, of an element's text and of the first ground behind it.
_LUMINANCE = """
selector => {
  const channels = text => text.match(/[\\d.]+/g).map(Number);
  const luminance = ([r, g, b]) => [r, g, b].map(c => c / 255)
    .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const element = document.querySelector(selector);
  let behind = element, ground = [255, 255, 255, 1];
  for (; behind; behind = behind.parentElement) {
    const found = channels(getComputedStyle(behind).backgroundColor);
    if (found.length === 3 || found[3] > 0) { ground = found; break; }
  }
  return [luminance(channels(getComputedStyle(element).color)), luminance(ground)];
}
"""
