"""`open_stream`: one request, the SDK's in every byte."""

from __future__ import annotations

import dataclasses
import gc
import weakref
from typing import Any

import anthropic
import pydantic
import pytest
from anthropic.lib import streaming as sdk

from claude_stream import (
    StreamConnectionError,
    StreamOverloadedError,
    StreamTimeoutError,
    StreamTruncatedError,
    open_stream,
    wrap_client,
)
from claude_stream._open import _as_dicts
from claude_stream.testing import Recording, message_events
from tests.support import ASYNC_MODES, REQUEST, Mode, done, entered, in_every_mode, open_and_read
from tests.support import open_and_read_in as read

HELLO = Recording.from_events(message_events("Hello, world!"))
CUT = Recording.from_events(message_events("Hello, world!", cut=3))
FAILS_FIRST = Recording.from_events([message_events()[0], *message_events(error="overloaded_error")[-1:]])


class City(pydantic.BaseModel):
    """What the model is asked for."""

    name: str


# -- misuse --


@pytest.mark.parametrize("client", [None, "client", anthropic, anthropic.Anthropic(api_key="k").models])
def test_what_is_no_client(client: Any) -> None:
    """Anything that is no client of the SDK is named."""
    with pytest.raises(TypeError, match="a client of the SDK was expected"):
        open_stream(client, **REQUEST)


def test_stream_is_no_parameter(mode: Mode) -> None:
    """`stream=` is refused, whatever it says."""
    with pytest.raises(TypeError, match="leave `stream` out"):
        open_stream(mode.client(), **REQUEST, stream=True)


@pytest.mark.parametrize("name", ["modle", "first_timeout_"])
def test_a_misspelt_parameter(mode: Mode, name: str) -> None:
    """A parameter that `create` does not have is a TypeError, before anything is sent."""
    with pytest.raises(TypeError, match=name):
        read(mode, lambda: open_stream(mode.client(HELLO), **REQUEST, **{name: 1}))


def test_an_error_before_the_response_is_the_sdks(mode: Mode) -> None:
    """A request that is refused raises what the SDK raises, as it is."""
    with pytest.raises(anthropic.NotFoundError) as caught:
        read(mode, lambda: open_stream(mode.client(), **REQUEST))
    assert type(caught.value) is anthropic.NotFoundError


def test_leaving_a_block_that_was_never_entered(mode: Mode) -> None:
    """An open_stream that nobody enters sends nothing and warns nobody; there is nothing to close."""
    client = mode.client(HELLO)
    manager: Any = open_stream(client, **REQUEST)
    if mode.is_async:
        mode.run(lambda: manager.__aexit__(None, None, None))
    else:
        manager.__exit__(None, None, None)
    assert client.requests == []


# -- reading --


@pytest.mark.parametrize("target", ["client", "messages", "beta.messages", "beta"])
def test_every_way_to_name_the_client(mode: Mode, target: str) -> None:
    """The client, its messages, and its beta messages will do; beta gives beta classes."""
    subject = mode.client(HELLO)
    for name in () if target == "client" else target.split("."):
        subject = getattr(subject, name)
    stream, text = read(mode, lambda: open_stream(subject, **REQUEST))
    assert text == "Hello, world!"
    name = type(stream.current_message_snapshot).__name__
    assert name.startswith("ParsedBetaMessage" if "beta" in target else "ParsedMessage")


MANAGERS: list[type] = [
    sdk.MessageStreamManager,
    sdk.BetaMessageStreamManager,
    sdk.AsyncMessageStreamManager,
    sdk.BetaAsyncMessageStreamManager,
]
STREAMS: list[type] = [sdk.MessageStream, sdk.BetaMessageStream, sdk.AsyncMessageStream, sdk.BetaAsyncMessageStream]


@pytest.mark.parametrize("way", ["open_stream", "wrapped"])
@pytest.mark.parametrize("beta", [False, True], ids=["stable", "beta"])
@in_every_mode
async def test_isinstance_finds_the_sdks_class(mode: Mode, beta: bool, way: str) -> None:
    """Manager and stream are instances of just the SDK's class of their colour and kind, also while nothing is read."""
    client = mode.client(HELLO, HELLO)
    if way == "wrapped":
        client = wrap_client(client)
    messages = client.beta.messages if beta else client.messages
    manager = messages.stream(**REQUEST) if way == "wrapped" else open_stream(messages, **REQUEST)
    expected = 2 * mode.is_async + beta
    assert [cls for cls in MANAGERS if isinstance(manager, cls)] == [MANAGERS[expected]]
    async with entered(manager) as stream:
        assert [cls for cls in STREAMS if isinstance(stream, cls)] == [STREAMS[expected]]
    opened = await done(manager.open())
    assert [cls for cls in STREAMS if isinstance(opened, cls)] == [STREAMS[expected]]
    await done(opened.close())


def test_response_and_ids(mode: Mode) -> None:
    """The live response and its headers are within reach, and the clock started before the request."""
    recording = dataclasses.replace(HELLO, headers={"request-id": "req_1", "anthropic-workspace-id": "w"})
    stream, _ = read(mode, lambda: open_stream(mode.client(recording), **REQUEST))
    assert (stream.request_id, stream.workspace_id) == ("req_1", "w")
    assert stream.response.status_code == 200
    assert stream.response.is_closed
    assert stream.current_message_snapshot._request_id == "req_1"
    assert stream.timing.ttft > 0


@pytest.mark.parametrize("fault", [HELLO.reset(after=4), HELLO.stall(after=4)], ids=["reset", "stall"])
def test_the_cause_of_a_broken_body_knows_its_request(mode: Mode, fault: Recording) -> None:
    """What the transport raised is the cause, and has the request that the HTTP package gives such an error."""
    with pytest.raises((StreamConnectionError, StreamTimeoutError)) as caught:
        read(mode, lambda: open_stream(mode.client(fault), **REQUEST))
    assert caught.value.request.url.path == "/v1/messages"
    cause: Any = caught.value.__cause__
    assert cause.request is caught.value.request


def test_the_body_is_taken_with_the_first_event(mode: Mode) -> None:
    """A response that nobody has read yet can be read by others, and afterwards it says that it was."""

    async def other_reader() -> tuple[bytes, str]:
        manager: Any = open_stream(mode.client(HELLO), **REQUEST)
        if mode.is_async:
            async with manager as stream:
                return await stream.response.aread(), await stream.get_final_text()
        with manager as stream:
            return stream.response.read(), stream.get_final_text()

    body, text = mode.run(other_reader) if mode.is_async else Mode("asyncio").run(other_reader)
    assert (body, text) == (HELLO.body(), "Hello, world!")

    async def late_reader() -> Any:
        stream, _ = await open_and_read(mode, open_stream(mode.client(HELLO), **REQUEST))
        return await stream.response.aread() if mode.is_async else stream.response.read()

    with pytest.raises(RuntimeError, match="already been"):  # the HTTP package's StreamConsumed
        mode.run(late_reader) if mode.is_async else Mode("asyncio").run(late_reader)


def test_strict_or_not(mode: Mode) -> None:
    """A cut stream raises, unless it was said to be taken as it is."""
    with pytest.raises(StreamTruncatedError):
        read(mode, lambda: open_stream(mode.client(CUT), **REQUEST))
    stream, text = read(mode, lambda: open_stream(mode.client(CUT), **REQUEST, strict=False))
    assert (text, stream.complete) == ("Hello, w", False)


def test_restarts_and_limits(mode: Mode, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream that fails before its content is asked for again, as often as was said."""
    monkeypatch.setattr("claude_stream._open.backoff", lambda _: 0)
    with pytest.raises(StreamOverloadedError):
        read(mode, lambda: open_stream(mode.client(FAILS_FIRST, FAILS_FIRST, HELLO), **REQUEST, restarts=1))
    stream, text = read(
        mode,
        lambda: open_stream(
            mode.client(FAILS_FIRST, FAILS_FIRST, HELLO), **REQUEST, restarts=2, first_timeout=60, idle_timeout=60
        ),
    )
    assert (text, stream.usage.final, stream.request_id) == ("Hello, world!", True, "req_replay")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # older SDKs: of the helper's own output_format
@pytest.mark.parametrize("beta", [False, True], ids=["stable", "beta"])
def test_the_request_is_the_sdks(mode: Mode, beta: bool) -> None:
    """The body is the one that `messages.stream` sends, an output format included."""
    client = mode.client(HELLO, HELLO)
    messages = client.beta.messages if beta else client.messages
    params = {**REQUEST, "system": "Be brief.", "temperature": 0.5, "output_config": {"effort": "low"}}
    if beta:
        params["betas"] = ["some-beta"]

    async def main() -> None:
        if mode.is_async:
            async with (
                messages.stream(**params, output_format=City),
                open_stream(messages, **params, output_format=City),
            ):
                pass
        else:
            with messages.stream(**params, output_format=City), open_stream(messages, **params, output_format=City):
                pass

    if "temperature" not in _parameters(messages.stream):
        del params["temperature"]
    Mode("asyncio").run(main) if not mode.is_async else mode.run(main)
    theirs, ours = client.requests
    assert (ours.body, ours.path) == (theirs.body, theirs.path)
    left_out = {
        "x-stainless-helper-method",
        "x-stainless-stream-helper",
        "x-stainless-helper",
        "x-stainless-raw-response",
    }
    kept = [{k: v for k, v in r.headers.items() if k not in left_out} for r in (ours, theirs)]
    assert kept[0].get("anthropic-beta", "").startswith("some-beta") is beta
    assert {k: v for k, v in kept[0].items() if k != "anthropic-beta"} == {
        k: v for k, v in kept[1].items() if k != "anthropic-beta"
    }


def _parameters(function: Any) -> Any:
    import inspect

    return inspect.signature(function).parameters


# -- the other way to read: through the SDK's own stream --

BEDROCK = "application/vnd.amazon.eventstream"  # what makes open_stream leave the decoding to the SDK


def read_by_the_sdk(mode: Mode, recording: Recording) -> Any:
    return open_stream(mode.client(dataclasses.replace(recording, content_type=BEDROCK)), **REQUEST)


def test_a_cut_body_that_the_sdk_reads(mode: Mode) -> None:
    """What the SDK takes for a whole message is a StreamTruncatedError, and its partial is there."""
    with pytest.raises(StreamTruncatedError) as caught:
        read(mode, lambda: read_by_the_sdk(mode, CUT))
    assert caught.value.partial is not None
    assert caught.value.partial.content[0].text == "Hello, w"


def test_a_fault_that_the_sdk_meets(mode: Mode) -> None:
    """A transport error behind the SDK is ours."""
    with pytest.raises(StreamConnectionError) as caught:
        read(mode, lambda: read_by_the_sdk(mode, HELLO.reset(after=3)))
    assert caught.value.partial is not None


def test_a_restart_of_what_the_sdk_reads(mode: Mode, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream that the SDK decodes is opened again like any other."""
    monkeypatch.setattr("claude_stream._open.backoff", lambda _: 0)
    recordings = [dataclasses.replace(recording, content_type=BEDROCK) for recording in (FAILS_FIRST, HELLO)]
    stream, text = read(mode, lambda: open_stream(mode.client(*recordings), **REQUEST, restarts=1))
    assert (text, stream.usage.final) == ("Hello, world!", True)


def test_a_whole_body_that_the_sdk_reads(mode: Mode) -> None:
    """The stream is the same, whoever decodes it."""
    stream, text = read(mode, lambda: read_by_the_sdk(mode, HELLO))
    assert (text, stream.usage.final) == ("Hello, world!", True)
    assert stream.response.is_closed


@ASYNC_MODES
@pytest.mark.parametrize("options", [{}, {"restarts": 1, "idle_timeout": 5.0}], ids=["plain", "guarded"])
def test_a_stream_that_is_dropped_is_gone_at_once(mode: Mode, options: dict[str, Any]) -> None:
    """Not when Python collects, which closes the generators of the HTTP package in any order, and complains."""

    async def main() -> None:
        stream = await open_stream(mode.client(message_events("Hi")), **REQUEST, **options).__aenter__()
        await anext(stream.text_stream)
        kept, cursor = weakref.ref(stream), weakref.ref(stream.text_stream)
        gc.disable()
        try:
            del stream
            assert (kept(), cursor()) == (None, None)
        finally:
            gc.enable()

    mode.run(main)


@ASYNC_MODES
def test_an_async_client_whose_patched_create_needs_no_await(mode: Mode) -> None:
    """What it gives is read as it is."""
    client = mode.client()
    client.messages.create = lambda **_: mode.source(message_events("Hello, world!"))
    assert read(mode, lambda: open_stream(client, **REQUEST))[1] == "Hello, world!"


def test_a_stream_of_an_sdk_that_keeps_its_client_elsewhere() -> None:
    """Its objects are read instead of dicts."""
    stream = object()
    assert _as_dicts(stream) is stream
