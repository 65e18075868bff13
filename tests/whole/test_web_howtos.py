"""The applications of the how-to pages on the web, each as a process of its own, on the server that it is for.

The law: a page's code runs as it stands, and what the page says of a reader who leaves is shown, also where it is bad
news. Upstream is this machine's; nothing that a test waits for depends on how fast the machine is.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
from typing_extensions import Self
from websockets.sync.client import connect

from claude_stream import SSE_HEADERS, StreamError, from_sse, iter_parts
from claude_stream.testing import message_events
from tests.browser import Browser
from tests.loopback import Loopback
from tests.support import PATIENCE, SOON, body_of

pytestmark = [pytest.mark.socket, pytest.mark.process, pytest.mark.slow]

DOCS = Path(__file__).parents[2] / "docs"
PAGES = [(DOCS / "how-to" / name).read_text(encoding="utf-8") for name in ("web-endpoint.md", "websocket.md")]
FILES = {
    name: code
    for page in PAGES
    for name, code in re.findall(r'^```python title="(.*?)"\n(.*?)^```', page, re.MULTILINE | re.DOTALL)
}

TEXT = "One two three four five six seven eight nine ten."
EVENTS = message_events(TEXT, chunk=10)
FIRST, REST = body_of(EVENTS[:3]), body_of(EVENTS[3:])
OVERLOADED = b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}\n\n'
PING = b'event: ping\ndata: {"type":"ping"}\n\n'
GOES_ON = tuple(step for _ in range(200) for step in (PING + body_of([EVENTS[2]]), 0.05))
"""An answer that is far from its end, and has something to write every now and then."""

WSGIREF = """
from wsgiref.simple_server import make_server
from with_django import wsgi
with make_server("127.0.0.1", 0, wsgi) as server:
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()
"""


@dataclasses.dataclass(frozen=True)
class App:
    """An application of a page.

    Args:
        command: as the page has it, if it does; what follows `python`, if not.
        path: where its events are.
        notices: whether it notices a reader who leaves while there is nothing to write.
    """

    command: str | tuple[str, ...]
    path: str = "/events"
    notices: bool = True

    @property
    def words(self) -> tuple[str, ...]:
        """What follows `python`."""
        return ("-m", *self.command.split(), "--port", "0") if isinstance(self.command, str) else self.command


FASTAPI = App("uvicorn with_fastapi:app")
FLASK = App("flask --app with_flask run", notices=False)
DJANGO_WSGI = App(("-c", WSGIREF), notices=False)
DJANGO_ASGI = App("uvicorn with_django:asgi", "/async-events")
SYNC_UNDER_ASGI = App("uvicorn with_django:asgi")
WEBSOCKET = App("uvicorn with_websocket:app")
SSE = {"FastAPI": FASTAPI, "Flask": FLASK, "Django, WSGI": DJANGO_WSGI, "Django, ASGI": DJANGO_ASGI}


class Server:
    """An application that runs, on whatever port is free.

    Args:
        command: what follows `python`.
        folder: of its own.
    """

    def __init__(self, command: Sequence[str], folder: Path) -> None:
        self.upstream = Loopback(("stall",))  # plays the API
        self._command = command
        self._folder = folder
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        for name, code in FILES.items():
            (self._folder / name).write_text(code, encoding="utf-8")
        with self._stack as stack:
            stack.enter_context(self.upstream)
            out = stack.enter_context((self._folder / "log").open("wb"))
            env = {**os.environ, "ANTHROPIC_BASE_URL": self.upstream.url, "ANTHROPIC_API_KEY": "key"}
            command = [sys.executable, *self._command]
            process = subprocess.Popen(command, cwd=self._folder, env=env, stdout=out, stderr=out)
            stack.callback(process.wait)
            stack.callback(process.kill)
            end = time.monotonic() + 4 * PATIENCE  # all of its imports, on a busy machine; a process that fails tells
            while not (found := re.search(r"http://127\.0\.0\.1:\d+", self.log)):
                assert process.poll() is None, self.log
                assert time.monotonic() < end
                time.sleep(0.02)
            self.url = found[0]
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stack.close()

    @property
    def log(self) -> str:
        """What it has written."""
        return (self._folder / "log").read_text(encoding="utf-8")

    @contextlib.contextmanager
    def ask(self, path: str, *script: Any, **options: Any) -> Iterator[httpx.Response]:
        """Ask for the answer that the API gives by this script; at the end the reader leaves."""
        self.upstream.play(script)
        options = {"timeout": PATIENCE, "params": {"question": "Hi"}, **options}
        with httpx.stream("GET", f"{self.url}{path}", **options) as response:
            yield response

    def connect(self) -> Any:
        """Open the WebSocket."""
        return connect(f"{self.url.replace('http', 'ws')}/socket", open_timeout=PATIENCE)


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[App], Server]]:
    """Start what a test asks for; what was asked for before runs already."""
    with contextlib.ExitStack() as stack:

        @functools.cache
        def start(command: Sequence[str]) -> Server:
            return stack.enter_context(Server(command, tmp_path_factory.mktemp("app")))

        yield lambda app: start(app.words)


@pytest.fixture(params=SSE.values(), ids=SSE.keys())
def app(request: pytest.FixtureRequest) -> App:
    """Runs the test with each application that sends events."""
    chosen: App = request.param
    return chosen


@pytest.fixture
def server(app: App, servers: Callable[[App], Server]) -> Server:
    return servers(app)


@pytest.fixture
def websocket(servers: Callable[[App], Server]) -> Server:
    return servers(WEBSOCKET)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with Browser() as browser:
        yield browser


def parts_in(response: httpx.Response, app: App) -> Iterator[dict[str, Any]]:
    """Read a body as parts: those that were sent, or those of the events that were sent, by Flask."""
    if app is FLASK:
        try:
            for part in iter_parts(from_sse(response.iter_raw())):
                yield {"type": part.type, **vars(part)}
        except StreamError as error:
            yield error.as_event()
    else:
        for line in response.iter_lines():
            if line.startswith("data:"):
                yield json.loads(line[5:])


def test_the_commands_are_those_of_the_pages() -> None:
    """What is run here is what the pages say."""
    commands = {app.command for app in (*SSE.values(), SYNC_UNDER_ASGI, WEBSOCKET)} - {DJANGO_WSGI.command}
    assert [command for command in commands if f"$ {command}\n" not in "".join(PAGES)] == []
    assert sorted(FILES) == ["with_django.py", "with_fastapi.py", "with_flask.py", "with_websocket.py"]


def test_a_browser_that_asks_again(server: Server, app: App) -> None:
    """It is told that it is over, and nobody pays for it."""
    before = server.upstream.requests
    with server.ask(app.path, "finish", headers={"last-event-id": "3"}) as response:
        assert response.status_code == 204
    assert server.upstream.requests == before


@pytest.mark.parametrize(("script", "status"), [((OVERLOADED, "finish"), 529), (("cut",), 502)])
def test_an_error_before_the_first_byte(server: Server, app: App, script: Any, status: int) -> None:
    """It is a status, with the reason."""
    with server.ask(app.path, *script) as response:
        assert response.status_code == status
        assert json.loads(response.read())["detail"]


def test_an_overload_in_the_middle(server: Server, app: App) -> None:
    """It is the last frame, behind what came, and the body ends in good order."""
    with server.ask(app.path, FIRST, OVERLOADED, "finish") as response:
        assert response.status_code == 200
        *parts, last = parts_in(response, app)
    assert "".join(part.get("text", "") for part in parts) == TEXT[:10]
    assert last["type"] == "error"
    assert last["error"] == {"type": "overloaded_error", "message": "Overloaded"}


def test_a_whole_answer(server: Server, app: App) -> None:
    """What has come is there before the rest has come, and at the end it is whole."""
    goes_on = threading.Event()
    with server.ask(app.path, FIRST, goes_on, REST, "finish") as response:
        assert {name: response.headers[name] for name in SSE_HEADERS} == SSE_HEADERS
        parts = parts_in(response, app)
        first = next(parts)
        assert first["text"] == TEXT[:10]
        goes_on.set()
        *rest, last = parts
    assert "".join(part["text"] for part in (first, *rest)) == TEXT
    assert (last["type"], last["stop_reason"]) == ("done", "end_turn")


def test_a_reader_who_leaves(server: Server, app: App) -> None:
    """Upstream is gone: at once, or, where only a write can tell, as soon as there is something to write."""
    goes_on = threading.Event()
    silence = () if app.notices else (goes_on, *GOES_ON)
    with server.ask(app.path, FIRST, *silence, "stall") as response:
        assert next(parts_in(response, app))["text"] == TEXT[:10]
    if not app.notices:
        assert not server.upstream.wait_until_closed(1)
        goes_on.set()
    assert server.upstream.wait_until_closed(SOON)


def test_a_sync_iterator_under_asgi(servers: Callable[[App], Server]) -> None:
    """The page's warning is true: nothing arrives in steps, and the answer is read on when the reader has left."""
    server, goes_on = servers(SYNC_UNDER_ASGI), threading.Event()
    sent = server.upstream.sent
    with server.ask(
        SYNC_UNDER_ASGI.path, FIRST, goes_on, REST, "finish", timeout=httpx.Timeout(PATIENCE, read=2)
    ) as response:
        assert response.status_code == 200
        with pytest.raises(httpx.ReadTimeout):
            next(response.iter_raw())
    assert not server.upstream.wait_until_closed(1)
    goes_on.set()
    assert server.upstream.wait_until_sent(sent + 2)
    [warning] = re.findall(r"`(StreamingHttpResponse must .*?)`", " ".join(PAGES[0].split()))
    with server.ask(
        SYNC_UNDER_ASGI.path, FIRST, REST, "finish"
    ) as response:  # where only the end is looked at, it looks right
        assert "".join(part.get("text", "") for part in parts_in(response, SYNC_UNDER_ASGI)) == TEXT
    assert warning in server.log


def test_the_page_closes_its_event_source(servers: Callable[[App], Server], browser: Browser) -> None:
    """In a browser, the page's script shows the text and the reason, and asks no second time."""
    [script] = re.findall(r"^```js\n(.*?)^```", PAGES[0], re.MULTILINE | re.DOTALL)
    server = servers(FASTAPI)
    endings = {(REST, "finish"): TEXT, (OVERLOADED, "finish"): f"{TEXT[:10]}Overloaded"}
    for ending, shown in endings.items():
        server.upstream.play((FIRST, *ending))
        before = server.log.count("GET /events?question=Hello")
        browser.open(f"{server.url}/nothing-is-here")
        browser.run("document.body.textContent = ''")
        browser.run(f"{{{script}window.source = source}}")
        browser.wait_for("source.readyState === EventSource.CLOSED")
        assert browser.run("document.body.textContent") == shown
        time.sleep(4)  # Chromium comes back after three seconds
        assert server.log.count("GET /events?question=Hello") == before + 1


# -- the WebSocket --


def lines(socket: Any) -> Iterator[dict[str, Any]]:
    """Read an answer to its end."""
    part: dict[str, Any] = {}
    while part.get("type") not in ("done", "error"):
        part = json.loads(socket.recv(timeout=PATIENCE))
        yield part


@pytest.mark.parametrize("script", [(OVERLOADED, "finish"), (FIRST, OVERLOADED, "finish"), ("cut",), (FIRST, "cut")])
def test_an_error_in_a_websocket(websocket: Server, script: Any) -> None:
    """It is the last line, whenever it comes, and the next question is answered."""
    websocket.upstream.play(script, (FIRST, REST, "finish"))
    with websocket.connect() as socket:
        socket.send("Hi")
        *parts, last = lines(socket)
        assert "".join(part["text"] for part in parts) == (TEXT[:10] if FIRST in script else "")
        assert last["type"] == "error"
        assert last["error"]["message"]
        socket.send("Again")
        assert [part["type"] for part in lines(socket)][-1] == "done"


def test_a_whole_answer_in_a_websocket(websocket: Server) -> None:
    """What has come is there before the rest has come, and at the end it is whole."""
    goes_on = threading.Event()
    websocket.upstream.play((FIRST, goes_on, REST, "finish"))
    with websocket.connect() as socket:
        socket.send("Hi")
        parts = lines(socket)
        first = next(parts)
        assert first["text"] == TEXT[:10]
        goes_on.set()
        *rest, last = parts
    assert "".join(part["text"] for part in (first, *rest)) == TEXT
    assert last["usage"]["output_tokens"] == 12


def test_the_page_opens_its_websocket(websocket: Server, browser: Browser) -> None:
    """In a browser, the page's script asks once, shows the text and the reason, and the connection stays."""
    [script] = re.findall(r"^```js\n(.*?)^```", PAGES[1], re.MULTILINE | re.DOTALL)
    [address] = re.findall(r"ws://127\.0\.0\.1:8000(?=/socket\")", script)
    script = script.replace(address, websocket.url.replace("http", "ws"))
    before = websocket.upstream.requests
    endings = {(REST, "finish"): TEXT, (OVERLOADED, "finish"): f"{TEXT[:10]}Overloaded"}
    for number, (ending, shown) in enumerate(endings.items(), start=1):
        websocket.upstream.play((FIRST, *ending))
        browser.open(f"{websocket.url}/nothing-is-here")
        browser.run("document.body.textContent = ''")
        browser.run(f"{{{script}window.socket = socket}}")
        browser.wait_for(f"document.body.textContent === {json.dumps(shown)}")
        assert browser.run("socket.readyState === WebSocket.OPEN")
        assert websocket.upstream.requests == before + number


@pytest.mark.parametrize("how", ["leaves", "leaves while it flows", "stops", "asks something else"])
def test_a_reader_who_has_enough(websocket: Server, how: str) -> None:
    """Upstream is gone at once, whether the model says nothing or goes on, and nobody takes it for a fault."""
    flow = GOES_ON if how == "leaves while it flows" else ()
    websocket.upstream.play((FIRST, *flow, "stall"), (FIRST, REST, "cut"))
    with websocket.connect() as socket:
        socket.send("Hi")
        assert json.loads(socket.recv(timeout=PATIENCE))["text"] == TEXT[:10]
        if how == "stops":
            socket.send("")
        elif how == "asks something else":
            socket.send("Else")
            assert "".join(part.get("text", "") for part in lines(socket)) == TEXT
        if not how.startswith("leaves"):
            assert websocket.upstream.wait_until_closed(SOON)
    assert websocket.upstream.wait_until_closed(SOON)
    assert "Exception in ASGI application" not in websocket.log
