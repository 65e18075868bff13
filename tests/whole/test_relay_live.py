"""Relays between real sockets: who reads from them, and that upstream is gone when the reader is.

The law: as in `test_transport`, a server sends nothing that could be lost before it was read. Upstream is gone when
its server finds the connection closed; that takes milliseconds, and a busy machine has `SOON` for it.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import json
import shutil
import subprocess
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from starlette.requests import ClientDisconnect
from starlette.responses import StreamingResponse

from claude_stream import SSE_HEADERS, collect, from_sse, iter_parts, iter_text, open_stream, to_ndjson, to_sse
from claude_stream.testing import Recording, message_events
from tests.loopback import Loopback
from tests.nets import Net
from tests.support import (
    ASYNC_MODES,
    PATIENCE,
    REQUEST,
    SOON,
    Either,
    Mode,
    body_of,
    done,
    entered,
    in_every_mode,
    merged,
    text_of,
    until_somebody_reads,
    wire_events,
)

EVENTS = message_events("Hello, wonderful world!")
FIRST, REST = body_of(EVENTS[:4]), body_of(EVENTS[4:])


# -- readers of a relay --


async def final_message(client: Any, how: str) -> Any:
    if how == "stream":
        async with entered(client.messages.stream(**REQUEST)) as stream:
            return await done(stream.get_final_message())
    return await done(collect(client.messages.create(**REQUEST, stream=True)))


@pytest.mark.socket
@pytest.mark.parametrize("how", ["stream", "create"])
def test_the_python_sdk_reads_a_relay_of_every_recording(plain: Net, recorded_body: bytes, how: str) -> None:
    """With `base_url` at a relay, it gives the same final message, by either of its ways."""
    for mode in map(Mode, ("sync", "asyncio")):
        frames = tuple(mode.read(lambda m=mode: to_sse(m.stream(recorded_body))).items)

        async def check(mode: Mode, frames: tuple[bytes, ...] = frames) -> None:
            expected = await final_message(mode.client(Recording.from_bytes(recorded_body)), how)
            with plain.serve((*frames, "finish")) as relay:
                async with plain.client(relay.url, mode) as client:
                    message = await final_message(client, how)
            assert message == expected
            assert message.to_dict(warnings=False) == expected.to_dict(warnings=False)

        in_every_mode(check)(mode)


READ_NDJSON = """
import { Stream } from "@anthropic-ai/sdk/streaming";
import { MessageStream } from "@anthropic-ai/sdk/lib/MessageStream";
const chunks = [];
for await (const chunk of process.stdin) chunks.push(chunk);
const read = async (stream) => {
  try {
    return await MessageStream.fromReadableStream(stream).finalMessage();
  } catch (error) {
    return { failed: String(error) };
  }
};
const found = [];
for (const { sse, lines, breaks } of JSON.parse(Buffer.concat(chunks))) {
  const own = Stream.fromSSEResponse(new Response(sse), new AbortController()).toReadableStream();
  const relayed = new ReadableStream({
    start(controller) {
      for (const line of lines) controller.enqueue(new TextEncoder().encode(line));
      breaks ? controller.error(new Error("terminated")) : controller.close();
    },
  });
  found.push([await read(own), await read(relayed)]);
}
console.log(JSON.stringify(found));
"""


@pytest.fixture
def javascript_sdk(pytestconfig: pytest.Config, tmp_path: Path) -> Path:
    """A folder in which Node finds the JavaScript SDK: installed once, into pytest's cache if there is one."""
    cache = getattr(pytestconfig, "cache", None)
    folder: Path = cache.mkdir("javascript-sdk") if cache else tmp_path
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("there is no Node here to run the JavaScript SDK")
    if not (folder / "node_modules" / "@anthropic-ai" / "sdk" / "package.json").is_file():
        quick = ["--silent", "--no-audit", "--no-fund", "--fetch-retries=0"]
        install = ["npm", "install", *quick, "--prefix", str(folder), "@anthropic-ai/sdk@1"]
        try:
            subprocess.run(install, check=True, capture_output=True, text=True, timeout=PATIENCE)
        except subprocess.SubprocessError as exc:
            pytest.skip(f"the JavaScript SDK cannot be installed here: {exc}")
    return folder


@pytest.mark.process
@pytest.mark.slow
def test_the_javascript_sdk_reads_lines_of_json(pytestconfig: pytest.Config, javascript_sdk: Path) -> None:
    """Its `MessageStream.fromReadableStream` gives the same final message for every recording; a failure breaks it."""
    recordings = pytestconfig.getoption("--claude-recordings")
    bodies = [file.read_bytes() for file in sorted(recordings.glob("*.sse"))] if recordings else []
    bodies += [body_of(EVENTS), body_of(message_events("a\u2028b\x85\r\n\0", ("tool", {"a": [1]})))]
    cases = [
        {"sse": body.decode(), "lines": [line.decode() for line in to_ndjson(from_sse([body]))]} for body in bodies
    ]
    broken = to_ndjson(from_sse([FIRST]))
    lines = [next(broken).decode() for _ in range(5)]
    cases.append({"sse": body_of(EVENTS).decode(), "lines": lines, "breaks": True})
    found = subprocess.run(
        ["node", "--input-type=module", "-e", READ_NDJSON],
        cwd=javascript_sdk,
        input=json.dumps(cases),
        check=True,
        capture_output=True,
        text=True,
    )
    *whole, (_, last) = json.loads(found.stdout)
    for body, (own, relayed) in zip(bodies, whole, strict=True):
        expected = merged(wire_events(body))
        assert relayed == own
        for block, wanted in zip(relayed["content"], expected["content"], strict=True):
            assert (block["type"], block.get("text")) == (wanted["type"], wanted.get("text"))
            if block["type"] == "tool_use":  # of others, its stable stream leaves the input out, however it reads them
                assert block["input"] == wanted["input"]
        assert relayed["usage"]["output_tokens"] == expected["usage"]["output_tokens"]
    assert json.loads(lines[-1])["type"] == "error"
    assert "failed" in last


# -- readers that leave --

HOWS: dict[str, Callable[[Any], Any]] = {
    "the SDK decodes": lambda client: client.messages.create(**REQUEST, stream=True),
    "we decode": lambda client: open_stream(client, **REQUEST),
}
MAKES: dict[str, Callable[[Any], Any]] = {"events": lambda source: source, "text": iter_text, "parts": iter_parts}


async def relay_of(client: Any, how: str, make: str) -> Any:
    """Return the relay of a request, with nobody else to close its stream."""
    opened = HOWS[how](client)
    if how == "we decode":
        opened = await done(opened.__aenter__() if hasattr(opened, "__aenter__") else opened.__enter__())
    return to_sse(MAKES[make](opened))


async def gone(upstream: Loopback, *, dropped: bool = False) -> bool:
    """Return whether upstream's server finds its connection closed, soon; the event loop goes on meanwhile.

    What was dropped is closed when Python's collector finds it, and sometimes by a task that the collector starts.
    """
    with anyio.move_on_after(SOON):
        while not upstream.wait_until_closed(0):
            if dropped:
                gc.collect()
            await anyio.sleep(0.01)
        return True
    return False


EVERY_WAY = [pytest.mark.parametrize("how", HOWS), pytest.mark.parametrize("make", MAKES)]


def every_way(test: Any) -> Any:
    return functools.reduce(lambda test, mark: mark(test), EVERY_WAY, test)


@pytest.mark.socket
@every_way
@ASYNC_MODES
def test_a_read_that_is_cancelled_is_gone_upstream(plain: Net, mode: Mode, how: str, make: str) -> None:
    """The API's connection is closed as soon as the task that reads the relay is cancelled."""

    async def main() -> None:
        with plain.serve((FIRST, "stall")) as upstream:
            async with plain.client(upstream.url, mode) as client:
                relay = await relay_of(client, how, make)
                with anyio.move_on_after(PATIENCE) as scope:
                    await anext(relay)
                    scope.deadline = anyio.current_time() + 0.05
                    async for _ in relay:
                        pass
                assert scope.cancelled_caught
                assert await gone(upstream)

    mode.run(main)


@pytest.mark.socket
@every_way
def test_a_close_in_another_thread_is_gone_upstream(plain: Net, how: str, make: str) -> None:
    """The stop button of a sync relay ends a read that is blocked, by a last frame."""
    mode = Mode("sync")
    frames: list[bytes] = []

    @in_every_mode
    async def check(mode: Mode) -> None:
        with plain.serve((FIRST, "stall")) as upstream:
            async with plain.client(upstream.url, mode) as client:
                relay = await relay_of(client, how, make)
                thread = threading.Thread(target=lambda: frames.extend(relay))
                thread.start()
                assert upstream.wait_until_sent(1)
                until_somebody_reads()
                relay.close()
                thread.join(SOON)
                assert not thread.is_alive()
                assert upstream.wait_until_closed(SOON)

    check(mode)
    assert b'"type":"error"' in frames[-1]


@pytest.mark.socket
@pytest.mark.parametrize("how", HOWS)
@in_every_mode
async def test_a_whole_answer_keeps_its_connection(mode: Mode, plain: Net, how: str, patient_drain: None) -> None:
    """A relay that ends well gives the connection back, for the next request."""
    del patient_drain
    with plain.serve((FIRST, REST, "finish")) as upstream:
        async with plain.client(upstream.url, mode) as client:
            for _ in range(2):
                frames = [frame async for frame in Either(await relay_of(client, how, "events"))]
                assert len(frames) == len(EVENTS)
        assert (upstream.requests, upstream.accepted) == (2, 1)


class Browser:
    """The other side of an ASGI application, played by hand: it leaves after so many chunks of the body.

    Args:
        chunks: of the body, that it takes.
        spec_version: of ASGI. Before 2.4 a server tells of a client that left by a message, since then by an error.
    """

    def __init__(self, chunks: int, spec_version: str) -> None:
        self.scope = {"type": "http", "asgi": {"version": "3.0", "spec_version": spec_version}}
        self.messages: list[Any] = []
        self._chunks = chunks
        self._raises = spec_version >= "2.4"
        self._left = anyio.Event()

    async def receive(self) -> Any:
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        self.messages.append(message)
        if len(self.messages) > self._chunks:
            self._left.set()
            if self._raises:
                raise OSError("the client is gone")

    async def get(self, endpoint: Callable[[], Awaitable[Any]]) -> None:
        """Ask for the endpoint's response, as a server does."""
        with contextlib.suppress(ClientDisconnect):
            await (await endpoint())(self.scope, self.receive, self.send)


LEAVES = pytest.mark.parametrize(
    ("mode", "spec_version"), [("asyncio", "2.3"), ("trio", "2.3"), ("asyncio", "2.4")], indirect=["mode"]
)
"""Cancelled in a read, or dropped. What is dropped on trio, nobody closes: hold the stream in an `async with`."""


@pytest.mark.socket
@LEAVES
@every_way
def test_a_browser_that_leaves_starlette(plain: Net, mode: Mode, how: str, make: str, spec_version: str) -> None:
    """Its StreamingResponse never closes a body; upstream is gone all the same, cancelled in a read or dropped."""

    async def main() -> None:
        with plain.serve((FIRST, "stall")) as upstream:
            async with plain.client(upstream.url, mode) as client:

                async def endpoint() -> Any:
                    return StreamingResponse(await relay_of(client, how, make), headers=SSE_HEADERS)

                browser = Browser(1, spec_version)
                await browser.get(endpoint)
                head, first = browser.messages[:2]
                assert dict(head["headers"])[b"content-type"] == b"text/event-stream; charset=utf-8"
                assert first["body"].startswith(b"id: 1\n")
                assert await gone(upstream, dropped=spec_version == "2.4")

    mode.run(main)


@pytest.mark.socket
@LEAVES
@pytest.mark.parametrize("how", HOWS)
def test_a_browser_that_leaves_a_sync_relay(plain: Net, mode: Mode, how: str, spec_version: str) -> None:
    """A thread cannot be cancelled: the relay is dropped when the read that it is in has come back.

    Who has the choice takes an async stream there.
    """

    async def main() -> None:
        goes_on = threading.Event()
        with plain.serve((FIRST, goes_on, body_of([{"type": "ping"}, EVENTS[4]]), "stall")) as upstream:
            async with plain.client(upstream.url, Mode("sync")) as client:

                async def endpoint() -> Any:
                    return StreamingResponse(await relay_of(client, how, "events"), headers=SSE_HEADERS)

                browser = Browser(4, spec_version)
                async with anyio.create_task_group() as group:
                    group.start_soon(browser.get, endpoint)
                    await browser._left.wait()
                    goes_on.set()
                assert await gone(upstream, dropped=True)

    mode.run(main)


def test_starlette_gets_an_async_relay_as_one() -> None:
    """It tells the colours apart by `AsyncIterable`."""
    frames = [*to_sse(EVENTS)]

    async def main() -> None:
        class Events:
            async def __aiter__(self) -> Any:
                for event in EVENTS:
                    yield event

        browser = Browser(100, "2.3")
        with anyio.move_on_after(PATIENCE):
            response = StreamingResponse(to_sse(Events()), headers=SSE_HEADERS)
            await response.stream_response(browser.send)
        assert [message["body"] for message in browser.messages[1:]] == [*frames, b""]
        assert text_of(collect(from_sse(frames))) == "Hello, wonderful world!"

    anyio.run(main)
