"""The example of a relay, in a real browser: what a person sees, by both transports, and what their clicks cost."""

from __future__ import annotations

import contextlib
import json
import runpy
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import anthropic
import httpx
import pytest
import uvicorn
import websockets.sync.client as websockets
from starlette.applications import Starlette

from claude_stream import iter_text, iter_thinking
from claude_stream.testing import message_events, replay
from tests.browser import Browser
from tests.loopback import Loopback, Script
from tests.support import PATIENCE, SOON, body_of

pytestmark = [pytest.mark.socket, pytest.mark.process, pytest.mark.slow]

FOLDER = Path(__file__).parents[2] / "docs" / "examples" / "relay"
THINKING = {"type": "thinking", "thinking": "Let me see.", "signature": "c2ln"}
TEXT = "One two three four five six seven eight nine ten."
EVENTS = message_events(THINKING, TEXT, chunk=10)
FRAMES = [body_of([event]) for event in EVENTS]
HALF = 9  # frames, among them the first ones of the text
OVERLOADED = b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}\n\n'
WHOLE = tuple(part for frame in FRAMES for part in (frame, 0.05))


@contextlib.contextmanager
def serving(upstream: Loopback) -> Iterator[str]:
    """Run the example over an API that is at this machine, and give its address."""
    client = anthropic.AsyncAnthropic(api_key="key", base_url=upstream.url, max_retries=0)
    app = runpy.run_path(str(FOLDER / "app.py"))["make_app"](client)

    @contextlib.asynccontextmanager
    async def closing(_: object) -> AsyncIterator[None]:
        async with client:
            yield

    app.router.lifespan_context = closing
    with listening(app) as url:
        yield url


@contextlib.contextmanager
def listening(app: Starlette) -> Iterator[str]:
    """Run an application on whatever port is free, and give its address."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        end = time.monotonic() + PATIENCE
        while not server.started:
            assert time.monotonic() < end
            time.sleep(0.01)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(PATIENCE)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with Browser() as browser:
        yield browser


@pytest.fixture(params=["EventSource", "WebSocket"])
def transport(request: pytest.FixtureRequest) -> str:
    """Runs the test by either."""
    return str(request.param)


def ask(browser: Browser, url: str, transport: str) -> None:
    """Load the page and ask. It notes each state of the text on its way."""
    browser.open(url)
    browser.run(f"document.getElementById('socket').checked = {str(transport == 'WebSocket').lower()}")
    browser.run(
        "window.seen = []; new MutationObserver(() => seen.push(document.getElementById('text').textContent))"
        ".observe(document.getElementById('text'), {childList: true})"
    )
    browser.run("document.querySelector('form button').click()")


def shown(browser: Browser, name: str) -> str:
    return str(browser.run(f"document.getElementById('{name}').textContent"))


def ended(browser: Browser, transport: str) -> str:
    """Return what the page says when the answer is over and a browser would have asked again: after three seconds."""
    browser.wait_for("document.getElementById('stop').disabled && document.getElementById('state').textContent")
    time.sleep(4 if transport == "EventSource" else 0)
    return shown(browser, "state")


def test_an_overload_in_the_middle(browser: Browser, transport: str) -> None:
    """The partial stays, the reason is there, and nobody asks again."""
    with Loopback((*FRAMES[:HALF], OVERLOADED, "finish")) as upstream, serving(upstream) as url:
        ask(browser, url, transport)
        assert ended(browser, transport) == "broken off: Overloaded"
        assert TEXT.startswith(shown(browser, "text"))
        assert len(shown(browser, "text")) >= 10
        assert upstream.requests == 1


def test_a_cut_in_the_middle(browser: Browser, transport: str) -> None:
    """The same, with a reason that tells nothing of the inside."""
    with Loopback((*FRAMES[:HALF], "cut")) as upstream, serving(upstream) as url:
        ask(browser, url, transport)
        assert ended(browser, transport).startswith("broken off: ")
        assert TEXT.startswith(shown(browser, "text"))
        assert upstream.requests == 1


def test_a_whole_answer(browser: Browser, transport: str) -> None:
    """It comes in steps, in order and whole; thinking stands by itself; one question is one request."""
    with Loopback((*WHOLE, "finish")) as upstream, serving(upstream) as url:
        ask(browser, url, transport)
        said = ended(browser, transport)
        assert said.startswith("end_turn: 12 tokens, the first after ")
        assert shown(browser, "text") == TEXT
        assert shown(browser, "thinking") == "Let me see."
        steps = [step for step in browser.run("seen") if step]
        assert len({*steps}) > 2
        assert steps == sorted(steps, key=len)
        assert all(TEXT.startswith(step) for step in steps)
        assert upstream.requests == 1


def test_stop(browser: Browser, transport: str) -> None:
    """The button ends it, and upstream learns of it at once; what had come stays."""
    with Loopback((*FRAMES[:HALF], "stall")) as upstream, serving(upstream) as url:
        ask(browser, url, transport)
        browser.wait_for("document.getElementById('text').textContent")
        browser.run("document.getElementById('stop').click()")
        assert upstream.wait_until_closed(SOON)
        assert ended(browser, transport) == "stopped"
        assert TEXT.startswith(shown(browser, "text"))
        assert upstream.requests == 1


def test_a_browser_that_leaves(browser: Browser, transport: str) -> None:
    """Closing its tab ends the request upstream, too."""
    with Loopback((*FRAMES[:HALF], "stall")) as upstream, serving(upstream) as url:
        ask(browser, url, transport)
        browser.wait_for("document.getElementById('text').textContent")
        browser.close_tab()
        assert upstream.wait_until_closed(SOON)


@pytest.mark.parametrize("kind", ["events", "socket"])
def test_a_browser_that_leaves_while_nothing_has_come(kind: str) -> None:
    """Then there is no body that somebody could close, but a request all the same, and it ends."""
    with Loopback(("stall",)) as upstream, serving(upstream) as url:
        if kind == "events":
            with pytest.raises(httpx.ReadTimeout):
                httpx.get(f"{url}/events?question=x", timeout=httpx.Timeout(PATIENCE, read=1))
        else:
            with websockets.connect(f"{url.replace('http', 'ws')}/socket") as socket:
                socket.send("x")
                assert upstream.wait_until_requests(1)
        assert upstream.wait_until_closed(SOON)
        assert upstream.requests == 1


@pytest.mark.parametrize("script", [(OVERLOADED, "finish"), ("cut",), ("reset",)], ids=["overload", "cut", "reset"])
def test_an_answer_that_does_not_begin(script: Script) -> None:
    """There is still a status to choose, and what went wrong inside is nobody's business."""
    with Loopback(script) as upstream, serving(upstream) as url:
        refused = httpx.get(f"{url}/events?question=x", timeout=PATIENCE)
        assert (refused.status_code, refused.json()) == (503, {"reason": "Claude does not answer"})
        with websockets.connect(f"{url.replace('http', 'ws')}/socket") as socket:
            socket.send("x")
            assert json.loads(socket.recv(timeout=PATIENCE))["type"] == "error"


def test_without_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """`python app.py` serves the page then, and plays its whole recorded answer."""
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    served: list[Starlette] = []
    monkeypatch.setattr(uvicorn, "run", served.append)
    recorded = runpy.run_path(str(FOLDER / "app.py"), run_name="__main__")["RECORDED"]
    [app] = served
    with listening(app) as url:
        page = httpx.get(url)
        answer = httpx.get(f"{url}/events?question=x", timeout=PATIENCE)
    assert (page.status_code, page.text) == (200, (FOLDER / "page.html").read_text(encoding="utf-8"))
    assert answer.status_code == 200
    *parts, last = [json.loads(line[5:]) for line in answer.iter_lines() if line.startswith("data:")]
    said = {kind: "".join(part["text"] for part in parts if part["type"] == kind) for kind in ("thinking", "text")}
    whole = replay(recorded)
    assert said == {"thinking": "".join(iter_thinking(whole)), "text": "".join(iter_text(whole))}
    assert (last["type"], last["stop_reason"]) == ("done", "end_turn")


def test_who_asks_again_by_themselves_is_told_that_it_is_over() -> None:
    """A request with the id of a frame is a browser's own, and costs nothing."""
    with Loopback((*FRAMES, "finish")) as upstream, serving(upstream) as url:
        again = httpx.get(f"{url}/events?question=x", headers={"last-event-id": "3"})
        assert (again.status_code, upstream.requests) == (204, 0)


def test_the_example_is_short() -> None:
    """Application and page are under 120 lines."""
    assert sum(len(path.read_text().splitlines()) for path in FOLDER.iterdir() if path.is_file()) < 120
