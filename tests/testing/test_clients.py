"""Replaying clients: which recording answers which request, what they remember, and refused requests."""

from __future__ import annotations

import dataclasses
import re
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anthropic
import anyio
import pytest

from claude_stream import StreamConnectionError, collect, iter_text, open_stream, wrap_client
from claude_stream.testing import (
    AsyncReplayClient,
    ClaudeReplay,
    Recording,
    ReplayClient,
    ReplayRequest,
    async_replay_client,
    message_events,
    replay_client,
)
from tests.clocks import Timeless
from tests.support import REQUEST, Either, Mode, by_hand, done, entered, in_every_mode, streaming

HELLO = message_events("Hello")
BYE = message_events("Bye")
FOLDER = ClaudeReplay(".")

REFUSED: dict[int, str] = {
    400: "BadRequestError",
    401: "AuthenticationError",
    403: "PermissionDeniedError",
    404: "NotFoundError",
    413: "RequestTooLargeError",
    429: "RateLimitError",
    500: "InternalServerError",
    529: "OverloadedError",
}


def client_of(mode: Mode, *recordings: Any, **options: Any) -> Any:
    """Return a replaying client of the mode's colour."""
    return (async_replay_client if mode.is_async else replay_client)(*recordings, **options)


async def text_of(client: Any, **params: Any) -> str:
    """Send a request, and return the text of the answer."""
    message = await done(collect(client.messages.create(**{**REQUEST, **params}, stream=True)))
    return "".join(block.text for block in message.content)


def ask(content: str) -> dict[str, Any]:
    """Return the parameter that holds one question."""
    return {"messages": [{"role": "user", "content": content}]}


# -- what cannot be --


@pytest.mark.parametrize("make", [replay_client, async_replay_client, FOLDER, FOLDER.async_client])
def test_recordings_and_a_choice(make: Callable[..., Any]) -> None:
    """Answers are given or chosen, and not both."""
    with pytest.raises(TypeError, match=r"the recordings, or what choose\(\) gives, and not both"):
        make(HELLO, choose=lambda _: HELLO)


def test_several_recordings_in_a_list() -> None:
    """They are several arguments, and the error says so."""
    with pytest.raises(TypeError, match="several recordings are several arguments, and not a list"):
        replay_client([HELLO, BYE])


@pytest.mark.parametrize("recorded", [5, None, b"data: {}", {"type": "ping"}, ["Hi"]])
@pytest.mark.parametrize("make", [replay_client, async_replay_client])
def test_what_is_no_recording(make: Callable[..., Any], recorded: Any) -> None:
    """What is none is named when the client is made, wherever it stands."""
    with pytest.raises(TypeError, match="a recording, a path or a list of events") as caught:
        make(HELLO, recorded)
    assert repr(recorded) in str(caught.value)


@pytest.mark.parametrize("make", [replay_client, async_replay_client])
def test_a_file_that_cannot_be_read(tmp_path: Path, make: Callable[..., Any]) -> None:
    """A file that is not there, or is damaged, is refused when the client is made."""
    with pytest.raises(FileNotFoundError, match=r"nothing\.sse"):
        make(tmp_path / "nothing.sse")
    (tmp_path / "damaged.jsonl").write_text('{"claude_stream_recording": 1}\noops')
    with pytest.raises(ValueError, match=r"damaged\.jsonl, line 2"):
        make(tmp_path / "damaged.jsonl")


@in_every_mode
async def test_a_choice_that_is_no_recording(mode: Mode) -> None:
    """What `choose` gives is looked at when it is asked; the SDK wraps all that happens then in its own error."""
    with pytest.raises(anthropic.APIConnectionError) as caught:
        await text_of(client_of(mode, choose=lambda _: 5))
    assert isinstance(caught.value.__cause__, TypeError)
    assert "this is 5" in str(caught.value.__cause__)


@pytest.mark.parametrize("count", [0, 1, 2])
@in_every_mode
async def test_running_out_of_recordings_is_clear(mode: Mode, count: int) -> None:
    """One request too many is an error that counts, and so is the one behind it."""
    client = client_of(mode, *[HELLO] * count)
    for _ in range(count):
        assert await text_of(client) == "Hello"
    for _ in range(2):
        with pytest.raises(
            anthropic.NotFoundError, match=f"no recording is left for request {count + 1}, .* {count}"
        ) as error:
            await text_of(client)
        assert "replay_client(first, second)" in str(error.value)
        assert "replay_client(choose=lambda request: recording)" in str(error.value)


# -- refused requests --


@pytest.mark.parametrize("way", ["create", "open_stream"])
@pytest.mark.parametrize("status", REFUSED)
@in_every_mode
async def test_a_refused_request(mode: Mode, status: int, way: str) -> None:
    """The SDK's own exception for the status is raised, before any stream, with the body and the header."""
    client = client_of(mode, Recording.http_error(status, message="because", retry_after=7))
    with pytest.raises(anthropic.APIStatusError) as caught:
        if way == "create":
            await done(client.messages.create(**REQUEST, stream=True))
        else:
            await streaming(client).__aenter__()
    error: Any = caught.value
    assert type(error).__name__ == REFUSED[status] or (status, type(error).__name__) == (413, "ContentTooLargeError")
    assert type(error).__module__ == "anthropic"
    assert (error.status_code, error.response.status_code) == (status, status)
    assert error.body["error"]["message"] == "because"
    assert error.response.headers["retry-after"] == "7"
    assert error.response.headers["content-type"] == "application/json"
    assert error.request_id == "req_replay"


@in_every_mode
async def test_an_error_of_another_type(mode: Mode) -> None:
    """The type that was asked for is in the body."""
    client = client_of(mode, Recording.http_error(400, error="billing_error"))
    with pytest.raises(anthropic.BadRequestError) as caught:
        await text_of(client)
    body: Any = caught.value.body
    assert body["error"] == {"type": "billing_error", "message": "refused"}


@in_every_mode
async def test_nothing_is_retried_by_default(mode: Mode) -> None:
    """The first answer counts, since a test that passes at the second one hides something."""
    client = client_of(mode, Recording.http_error(529, retry_after=0), HELLO)
    with pytest.raises(anthropic.APIStatusError):
        await text_of(client)
    assert len(client.requests) == 1
    assert await text_of(client) == "Hello"


@pytest.mark.parametrize(
    ("status", "retry_after", "at_least", "at_most"),
    # Left alone, the SDK waits for 0.375 to 0.5 seconds; of zero it takes no notice.
    [(529, 0, 0.375, 0.5), (429, 0.01, 0.01, 0.01), (529, 0.6, 0.6, 0.6)],
)
@in_every_mode
async def test_a_retry_gets_the_next_recording(
    mode: Mode, monkeypatch: pytest.MonkeyPatch, status: int, retry_after: float, at_least: float, at_most: float
) -> None:
    """With `max_retries` the SDK asks again, when the header says so, and both requests are noted."""
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    client = client_of(mode, Recording.http_error(status, retry_after=retry_after), HELLO)
    with monkeypatch.context() as patch:  # how the SDK waits
        patch.setattr(time, "sleep", waits.append)
        patch.setattr(anyio, "sleep", sleep)
        assert await text_of(client.with_options(max_retries=1), **ask("Hi")) == "Hello"
    [wait] = [seconds for seconds in waits if seconds]
    assert at_least <= wait <= at_most
    assert [request.body["messages"][0]["content"] for request in client.requests] == ["Hi", "Hi"]


# -- which recording answers --


@pytest.mark.parametrize("cls", [anthropic.Anthropic, anthropic.AsyncAnthropic])
def test_they_are_clients_of_the_sdk(cls: type[Any]) -> None:
    """Each is a real client, so that it fits wherever one does, and has a key of its own."""
    client: Any = (replay_client if cls is anthropic.Anthropic else async_replay_client)()
    assert isinstance(client, cls)
    assert isinstance(client, (ReplayClient, AsyncReplayClient))
    assert client.api_key == "sk-ant-replay"
    assert client.requests == []


@in_every_mode
async def test_recordings_answer_in_order(mode: Mode, tmp_path: Path) -> None:
    """Each request gets the next recording, be it one, a list or generator of events, or a file of either format."""
    for name in ("three.sse", "four.jsonl"):
        Recording.from_events(message_events(name)).save(tmp_path / name)
    client = client_of(
        mode,
        Recording.from_events(message_events("one")),
        message_events("two"),
        tmp_path / "three.sse",
        str(tmp_path / "four.jsonl"),
        iter(message_events("five")),
    )
    assert [await text_of(client) for _ in range(5)] == ["one", "two", "three.sse", "four.jsonl", "five"]


@in_every_mode
async def test_a_choice_for_each_request(mode: Mode, tmp_path: Path) -> None:
    """`choose` sees each request and gives anything that stands for a recording, a refusal among them."""
    Recording.from_events(BYE).save(tmp_path / "Bye.sse")
    answers = {"Hello": HELLO, "Bye": str(tmp_path / "Bye.sse"), "No": Recording.http_error(403)}
    seen: list[ReplayRequest] = []

    def choose(request: ReplayRequest) -> Any:
        seen.append(request)
        return answers[request.body["messages"][0]["content"]]

    client = client_of(mode, choose=choose)
    assert [await text_of(client, **ask(question)) for question in ("Bye", "Hello", "Bye")] == ["Bye", "Hello", "Bye"]
    with pytest.raises(anthropic.PermissionDeniedError):
        await text_of(client, **ask("No"))
    assert seen == client.requests


@in_every_mode
async def test_whether_a_response_is_closed(mode: Mode) -> None:
    """It is once it is read to its end, or given up; not while somebody may still read it, nor when nobody answered."""
    client = client_of(mode, HELLO, HELLO)
    assert await text_of(client) == "Hello"
    async with streaming(client) as stream:
        async for _ in Either(stream):
            break
        assert [request.closed for request in client.requests] == [True, False]
    assert client.requests[1].closed
    unanswered = client_of(mode, choose=lambda _: 5)
    with pytest.raises(anthropic.APIConnectionError):
        await text_of(unanswered)
    assert not unanswered.requests[0].closed


def texts_at(timeless: Timeless, monkeypatch: pytest.MonkeyPatch, recorded: Any, **options: Any) -> list[Any]:
    """Return the texts of the answer, each with its time by a clock that only waiting moves."""
    namespace = SimpleNamespace(monotonic=timeless.clock, sleep=timeless.sleep)
    monkeypatch.setattr("claude_stream.testing._replay.time", namespace)

    async def read_all() -> list[Any]:
        start = timeless.clock()
        texts = iter_text(client_of(timeless, recorded, **options).messages.create(**REQUEST, stream=True))
        return [(timeless.clock() - start, text) async for text in Either(texts)]

    return timeless.run(read_all) if timeless.is_async else by_hand(read_all())


@pytest.mark.parametrize(("speed", "times"), [(None, [0, 0]), (0, [0, 0]), (4, [0, 0.25])])
def test_the_recorded_pace(timeless: Timeless, monkeypatch: Any, speed: float | None, times: list[float]) -> None:
    """At speed 4 the stream takes a fourth of the recorded time; without one it comes at once."""
    chunks = Recording.from_events(message_events("Hello", chunk=3)).chunks
    recording = dataclasses.replace(Recording(chunks), offsets=(0.0,) * 3 + (1.0,) * (len(chunks) - 3))
    assert texts_at(timeless, monkeypatch, recording, speed=speed) == list(zip(times, ("Hel", "lo")))


def test_the_first_text_does_not_wait_for_the_last(timeless: Timeless, monkeypatch: pytest.MonkeyPatch) -> None:
    """The body is streamed: what was recorded early is read early."""
    recording = Recording.from_events(message_events("Hello, world!", chunk=6))
    recording = dataclasses.replace(recording, offsets=(0.0,) * 3 + (0.5,) * 5)
    assert texts_at(timeless, monkeypatch, recording, speed=1) == [(0, "Hello,"), (0.5, " world"), (0.5, "!")]


@in_every_mode
async def test_every_way_of_the_sdk(mode: Mode) -> None:
    """The SDK's own helper, a raw response, `open_stream` and `wrap` read the same answer."""
    client = client_of(mode, *[HELLO] * 5)
    manager = client.messages.stream(**REQUEST)
    async with entered(manager) as stream:
        assert await done(stream.get_final_text()) == "Hello"
    raw = await done(client.messages.with_raw_response.create(**REQUEST, stream=True))
    assert (raw.status_code, raw.headers["request-id"]) == (200, "req_replay")
    assert (await done(collect(await done(raw.parse())))).content[0].text == "Hello"
    for ours in (open_stream(client, **REQUEST), wrap_client(client).messages.stream(**REQUEST)):
        async with entered(ours) as stream:
            assert (await done(stream.get_final_message())).content[0].text == "Hello"
            assert stream.request_id == "req_replay"
    assert await text_of(client.with_options(timeout=3)) == "Hello"


@in_every_mode
async def test_what_a_recording_says_of_the_response(mode: Mode) -> None:
    """Content type and headers are those of the recording; its own request id goes before ours."""
    headers = {"request-id": "req_1", "x-more": "2"}
    recording = dataclasses.replace(Recording.from_events(HELLO), headers=headers, content_type="text/event-stream;a=b")
    stream = await done(client_of(mode, recording).messages.create(**REQUEST, stream=True))
    headers = stream.response.headers
    assert (headers["request-id"], headers["content-type"]) == ("req_1", "text/event-stream;a=b")
    assert headers["x-more"] == "2"
    assert (await done(collect(stream)))._request_id == "req_1"


@pytest.mark.parametrize("make", [replay_client, async_replay_client])
def test_without_times_there_is_no_pace(make: Callable[..., Any]) -> None:
    """A speed is refused when the client is made, if a recording has no times; a refusal needs none."""
    with pytest.raises(ValueError, match="has no times"):
        make(Recording.from_events(HELLO).paced(1), HELLO, speed=1)
    make(Recording.from_events(HELLO).paced(1), Recording.http_error(529), speed=1)


def test_a_pace_of_ones_own(timeless: Timeless, monkeypatch: pytest.MonkeyPatch) -> None:
    """A recording that is paced is played so by a client that says nothing of speed."""
    paced = Recording.from_events(message_events("Hello", chunk=3)).paced(0.5)
    assert texts_at(timeless, monkeypatch, paced) == [(1, "Hel"), (1.5, "lo")]
    assert texts_at(timeless, monkeypatch, paced, speed=0) == [(0, "Hel"), (0, "lo")]


# -- without stream=True --

BLOCKS: list[Any] = [
    {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"},
    "Let me see.",
    {"type": "poem", "lines": ["a", {"b": None}]},
    ("get_weather", {"city": "Zürich"}),
]
WHOLE = Recording.from_events(message_events(*BLOCKS, id="msg_1"))


@pytest.mark.parametrize("beta", [False, True])
@in_every_mode
async def test_a_message_that_is_not_streamed(mode: Mode, beta: bool) -> None:
    """Without `stream=True` the answer is the message, in JSON, equal to the one that the stream gives."""
    client = client_of(mode, WHOLE, WHOLE, dataclasses.replace(WHOLE, headers={"request-id": "req_1"}))
    messages: Any = (client.beta if beta else client).messages
    whole = await done(messages.create(**REQUEST))
    streamed = await done(collect(messages.create(**REQUEST, stream=True)))
    assert whole == streamed
    assert type(whole) is type(streamed)
    assert whole.to_dict(warnings=False) == streamed.to_dict(warnings=False)
    raw = await done(messages.with_raw_response.create(**REQUEST))
    assert (raw.status_code, raw.headers["content-type"]) == (200, "application/json")
    assert raw.http_response.json()["content"][2] == BLOCKS[2]
    assert (await done(raw.parse()))._request_id == "req_1"


@in_every_mode
async def test_every_recording_as_a_message(mode: Mode, recorded_body: bytes) -> None:
    """What the API really sent gives the same message, streamed or not, or ends in the same kind of error."""
    client = client_of(mode, *[Recording.from_bytes(recorded_body)] * 2)
    try:
        streamed = await done(collect(client.beta.messages.create(**REQUEST, stream=True)))
    except anthropic.APIError as error:
        kind = anthropic.APIStatusError if isinstance(error, anthropic.APIStatusError) else anthropic.APIConnectionError
        with pytest.raises(kind):
            await done(client.beta.messages.create(**REQUEST))
    else:
        assert await done(client.beta.messages.create(**REQUEST)) == streamed


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        ("overloaded_error", 529, "OverloadedError"),
        ("rate_limit_error", 429, "RateLimitError"),
        ({"type": "weather_error", "message": "it rains"}, 500, "InternalServerError"),
    ],
)
@in_every_mode
async def test_an_error_that_is_not_streamed(mode: Mode, error: Any, status: int, kind: str) -> None:
    """A recording that ends in an `error` event is a refusal, with the status that stands for it."""
    recording = dataclasses.replace(WHOLE.error(error, after=3), headers={"retry-after": "0.01"})
    client = client_of(mode, recording, recording.reset(after=4), HELLO)
    with pytest.raises(anthropic.APIStatusError) as caught:
        await done(client.messages.create(**REQUEST))
    assert (type(caught.value).__name__, type(caught.value).__module__) == (kind, "anthropic")
    assert (caught.value.status_code, caught.value.request_id) == (status, "req_replay")
    assert caught.value.body == WHOLE.error(error, after=3).events()[-1]
    message = await done(client.with_options(max_retries=1).messages.create(**REQUEST))
    assert message.content[0].text == "Hello"


@pytest.mark.parametrize(
    ("fault", "kind", "says"),
    [
        (WHOLE.cut(after=3), "APIConnectionError", "no whole message: the stream ended"),
        (WHOLE.reset(after=3), "APIConnectionError", "the connection was reset"),
        (WHOLE.stall(after=3), "APITimeoutError", "nothing came in time"),
        (Recording((b"data: oops\n\n",)), "APIConnectionError", "no whole message: .*oops"),
        (WHOLE.interrupted(after=3, by=OSError("unplugged")), "APIConnectionError", "unplugged"),
    ],
)
@in_every_mode
async def test_a_fault_that_is_not_streamed(mode: Mode, fault: Recording, kind: str, says: str) -> None:
    """What broke in the stream breaks such a request, too: the SDK's own error, whose cause names the fault."""
    with pytest.raises(anthropic.APIConnectionError) as caught:
        await done(client_of(mode, fault).messages.create(**REQUEST))
    assert (type(caught.value).__name__, type(caught.value).__module__) == (kind, "anthropic")
    assert re.search(says, str(caught.value.__cause__))


@in_every_mode
async def test_an_interruption_that_is_not_streamed(mode: Mode) -> None:
    """Ctrl-C reaches a request that is not streamed as well."""
    with pytest.raises(KeyboardInterrupt):
        await done(client_of(mode, WHOLE.interrupted(after=3)).messages.create(**REQUEST))


@pytest.mark.parametrize("make", [Recording.cut, Recording.reset, Recording.stall, Recording.interrupted])
@in_every_mode
async def test_a_fault_behind_a_message_that_is_not_streamed(mode: Mode, make: Any) -> None:
    """What comes behind the last event changes nothing, as in a stream."""
    fault = make(WHOLE, after=len(WHOLE.chunks))
    assert (await done(client_of(mode, fault).messages.create(**REQUEST))).id == "msg_1"


@in_every_mode
async def test_what_is_not_a_message_is_left_alone(mode: Mode) -> None:
    """A refusal stays what it is, and so does the answer to any other request, be it a stream of events."""
    client = client_of(mode, Recording.http_error(429), WHOLE, Recording((b"{}",), content_type="application/json"))
    with pytest.raises(anthropic.RateLimitError):
        await done(client.messages.create(**REQUEST))
    events = await done(client.get("/v1/events", cast_to=str))
    assert events == WHOLE.body().decode()
    assert (await done(client.messages.create(**REQUEST))).to_dict() == {}


def test_when_a_message_that_is_not_streamed_comes(timeless: Timeless, monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes when the last event of the stream would."""
    namespace = SimpleNamespace(monotonic=timeless.clock, sleep=timeless.sleep)
    monkeypatch.setattr("claude_stream.testing._replay.time", namespace)

    async def ask_once() -> float:
        start = timeless.clock()
        await done(client_of(timeless, Recording.from_events(HELLO).paced(0.5)).messages.create(**REQUEST))
        return timeless.clock() - start

    assert (timeless.run(ask_once) if timeless.is_async else by_hand(ask_once())) == 2.5


# -- what was asked --


@in_every_mode
async def test_what_was_asked(mode: Mode) -> None:
    """Path, parameters and headers of each request are there, in order, whatever became of it."""
    client = client_of(mode, Recording.from_events(HELLO).reset(after=2), HELLO)
    with pytest.raises(StreamConnectionError):
        await text_of(client, **ask("Hello?"), extra_headers={"X-Mine": "Yes"}, system="Be brief.")
    await done(collect(await done(client.beta.messages.create(**REQUEST, stream=True, betas=["b-1"]))))
    first, second = client.requests
    assert (first.path, second.path) == ("/v1/messages", "/v1/messages")
    assert first.body == {**REQUEST, **ask("Hello?"), "system": "Be brief.", "stream": True}
    assert second.body == {**REQUEST, "stream": True}
    assert first.headers["x-mine"] == "Yes"
    assert any(value.endswith("sk-ant-replay") for value in first.headers.values())  # which header, the SDK decides
    assert second.headers["anthropic-beta"] == "b-1"
    assert set(first.headers) == {name.lower() for name in first.headers}


@in_every_mode
async def test_a_request_without_a_body(mode: Mode) -> None:
    """A request that sends nothing has no parameters."""
    models = Recording((b'{"data": [], "has_more": false}',), content_type="application/json")
    client = client_of(mode, models)
    assert (await done(client.models.list())).data == []
    [request] = client.requests
    assert (request.path, request.body) == ("/v1/models", {})


@in_every_mode
async def test_copies_share_recordings_and_requests(mode: Mode) -> None:
    """Copies of a client, and clients wrapped by us, take the next recording, and note what they were asked."""
    client = client_of(mode, *map(message_events, "abcd"))
    copies = (client.with_options(timeout=3), client.copy(), wrap_client(client), client)
    assert [await text_of(each, **ask(str(number))) for number, each in enumerate(copies)] == ["a", "b", "c", "d"]
    for each in copies:
        assert [request.body["messages"][0]["content"] for request in each.requests] == ["0", "1", "2", "3"]
    assert client_of(mode).requests == []


@in_every_mode
async def test_leaving_early_warns_nobody(mode: Mode) -> None:
    """A stream that is left in the middle leaves nothing of ours behind, and the client goes on."""
    client = client_of(mode, message_events("Hello, wonderful world"), HELLO, HELLO)
    async with Either(iter_text(client.messages.create(**REQUEST, stream=True))) as texts:
        assert await anext(texts) == "Hello, w"
    async with streaming(client) as stream:
        assert await anext(Either(stream.text_stream)) == "Hello"
    assert await text_of(client) == "Hello"


# -- a folder of recordings --


@in_every_mode
async def test_paths_begin_in_the_folder(mode: Mode, tmp_path: Path) -> None:
    """`ClaudeReplay` finds files in its folder, as strings and as paths, and takes everything else as it is."""
    Recording.from_events(HELLO).save(tmp_path / "hello.jsonl")
    claude_replay = ClaudeReplay(str(tmp_path))
    make: Any = claude_replay.async_client if mode.is_async else claude_replay
    client = make("hello.jsonl", Path("hello.jsonl"), BYE, claude_replay.recording("hello.jsonl").cut(after=2))
    assert [await text_of(client) for _ in range(3)] == ["Hello", "Hello", "Bye"]
    with pytest.raises(StreamConnectionError):
        await text_of(client)
    assert await text_of(make(tmp_path / "hello.jsonl", speed=0)) == "Hello"
    assert claude_replay.folder == tmp_path


@in_every_mode
async def test_chosen_paths_begin_in_the_folder(mode: Mode, tmp_path: Path) -> None:
    """The paths that `choose` gives begin there as well."""
    Recording.from_events(HELLO).save(tmp_path / "hello.jsonl")
    claude_replay = ClaudeReplay(tmp_path)
    make: Any = claude_replay.async_client if mode.is_async else claude_replay
    assert await text_of(make(choose=lambda _: "hello.jsonl")) == "Hello"


@pytest.mark.parametrize("ask_for", ["__call__", "async_client", "recording"])
def test_a_file_that_is_not_in_the_folder(tmp_path: Path, ask_for: str) -> None:
    """A missing file is named with the folder in which it was looked for."""
    with pytest.raises(FileNotFoundError) as caught:
        getattr(ClaudeReplay(tmp_path), ask_for)("nothing.sse")
    assert str(tmp_path / "nothing.sse") in str(caught.value)
