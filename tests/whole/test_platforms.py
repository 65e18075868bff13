"""The SDK's other clients: Bedrock, Vertex, Foundry, aiohttp underneath, and calls that the SDK traces.

The law: everything but the network is real. The SDK signs or authorises the request, and its own code
decodes Bedrock's frames and ends the spans. What is optional is skipped where it is not installed.
"""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import inspect
import json
import struct
import threading
import zlib
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from typing import Any

import anthropic
import anyio.to_thread
import pytest

from claude_stream import (
    AsyncMessageStream,
    MessageStream,
    StreamAPIError,
    StreamBadRequestError,
    StreamConnectionError,
    StreamError,
    StreamGatewayTimeoutError,
    StreamInternalServerError,
    StreamOverloadedError,
    StreamProtocolError,
    StreamRateLimitError,
    StreamTimeoutError,
    StreamTruncatedError,
    collect,
    iter_text,
    open_stream,
    wrap_client,
)
from claude_stream.testing import message_events
from tests.faults import error_event
from tests.loopback import End, Loopback
from tests.nets import http_of_the_sdk
from tests.support import PATIENCE, REQUEST, AsyncItems, Either, Mode, Outcome, body_of, done, entered, in_every_mode

pytestmark = [
    pytest.mark.filterwarnings(
        # A generator of the SDK, left suspended when one of Bedrock's streams ends early, on trio; see pyproject.toml.
        "ignore:Async generator 'anthropic\\.lib\\.bedrock\\._stream_decoder\\.AWSEventStreamDecoder\\.aiter_bytes'"
        ":ResourceWarning"
    ),
]

EVENTS = message_events("Hello, wonderful world!")  # eight: two of the start, three deltas, three of the end
MESSAGE: Any = collect(EVENTS)
GOOD = EVENTS[:4]  # as far as the text "Hello, wonderful"

Body = Sequence[bytes | type[Exception]]


# -- what the platforms send --


def frame(headers: dict[str, str], payload: bytes) -> bytes:
    """Return one message of AWS's event stream encoding, whose two checksums are right."""
    packed = b"".join(
        struct.pack("!B", len(name)) + name.encode() + struct.pack("!BH", 7, len(value)) + value.encode()
        for name, value in headers.items()
    )
    prelude = struct.pack("!II", 16 + len(packed) + len(payload), len(packed))
    message = prelude + struct.pack("!I", zlib.crc32(prelude)) + packed + payload
    return message + struct.pack("!I", zlib.crc32(message))


def event_frame(event: dict[str, Any]) -> bytes:
    """Return an event as Bedrock sends it: with padding, and with its own measurements at the end."""
    if event["type"] == "message_stop":
        event = {**event, "amazon-bedrock-invocationMetrics": {"inputTokenCount": 10, "outputTokenCount": 12}}
    payload = {"bytes": base64.b64encode(json.dumps(event).encode()).decode(), "p": "abcdefgh"}
    headers = {":event-type": "chunk", ":content-type": "application/json", ":message-type": "event"}
    return frame(headers, json.dumps(payload).encode())


def exception_frame(kind: str) -> bytes:
    """Return an exception as Bedrock sends it in the middle of a stream."""
    headers = {":exception-type": kind, ":content-type": "application/json", ":message-type": "exception"}
    return frame(headers, b'{"message": "said Bedrock"}')


def sse(event: dict[str, Any]) -> bytes:
    return body_of([event])


@dataclasses.dataclass(frozen=True)
class Platform:
    """A pair of clients of the SDK, and how their API answers."""

    client: str
    options: dict[str, Any]
    path: str
    authorization: str
    encode: Callable[[dict[str, Any]], bytes] = sse
    content_type: str = "text/event-stream; charset=utf-8"
    needs: tuple[str, ...] = ()

    def body(self, events: Iterable[dict[str, Any]]) -> list[bytes]:
        """Return the chunks of a body, one an event."""
        return [self.encode(event) for event in events]

    def make(self, mode: Mode, body: Body, requests: list[Any] | None = None, **options: Any) -> Any:
        """Return a client whose every request is answered with this body, and noted."""
        package = http_of_the_sdk()

        def respond(request: Any) -> Any:
            if requests is not None:
                requests.append(request)
            content = AsyncItems(play(body)) if mode.is_async else play(body)
            headers = {"content-type": self.content_type, "request-id": "req_platform"}
            return package.Response(200, headers=headers, content=content)

        transport = package.MockTransport(respond)
        http_client = (package.AsyncClient if mode.is_async else package.Client)(transport=transport)
        cls = getattr(anthropic, f"Async{self.client}" if mode.is_async else self.client)
        return cls(**self.options, http_client=http_client, max_retries=0, **options)


def play(body: Body) -> Iterator[bytes]:
    for chunk in body:
        if isinstance(chunk, bytes):
            yield chunk
        else:
            raise chunk("the connection is gone")


FIRST_PARTY = Platform("Anthropic", {"api_key": "x"}, "/v1/messages", "")
BEDROCK = Platform(
    "AnthropicBedrock",
    {"aws_access_key": "AKIDEXAMPLE", "aws_secret_key": "x", "aws_region": "us-east-1"},
    "/model/any/invoke-with-response-stream",
    "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/",
    event_frame,
    "application/vnd.amazon.eventstream",
    needs=("boto3", "botocore"),
)
VERTEX = Platform(
    "AnthropicVertex",
    {"access_token": "token", "project_id": "project", "region": "us-east5"},
    "/v1/projects/project/locations/us-east5/publishers/anthropic/models/any:streamRawPredict",
    "Bearer token",
)
FOUNDRY = Platform("AnthropicFoundry", {"api_key": "x", "resource": "resource"}, "/anthropic/v1/messages", "")
MANTLE = Platform(
    "AnthropicBedrockMantle", {"api_key": "x", "aws_region": "us-east-1"}, "/anthropic/v1/messages", "Bearer x"
)
AWS = Platform("AnthropicAWS", {"api_key": "x", "aws_region": "us-east-1", "workspace_id": "w"}, "/v1/messages", "")
GOOGLE_CLOUD = Platform(
    "AnthropicGoogleCloud",
    {"project": "p", "location": "us-east5", "workspace_id": "w", "skip_auth": True},
    "/v1/projects/p/locations/us-east5/workspaces/w/invoke/v1/messages",
    "",
)
PLATFORMS = {
    "bedrock": BEDROCK,
    "vertex": VERTEX,
    "foundry": FOUNDRY,
    "mantle": MANTLE,
    "aws": AWS,
    "google cloud": GOOGLE_CLOUD,
}


@pytest.fixture(params=PLATFORMS)
def platform(request: pytest.FixtureRequest) -> Platform:
    """Runs the test on each of the platforms whose packages are installed."""
    return available(PLATFORMS[request.param])


@pytest.fixture
def bedrock() -> Platform:
    """Runs the test where Bedrock's packages are installed."""
    return available(BEDROCK)


def available(platform: Platform) -> Platform:
    if not hasattr(anthropic, platform.client):
        pytest.skip(f"this SDK has no {platform.client}")
    for name in platform.needs:
        pytest.importorskip(name)
    return platform


# -- the two ways in --


@dataclasses.dataclass
class Reading(Outcome):
    """What was read, in whichever way."""

    message: Any = None  # only by `open_stream`
    usage: Any = None
    response: Any = None

    @property
    def text(self) -> str:
        return "".join(self.items)


class Way:
    """One of the two ways in."""

    def __init__(self, name: str) -> None:
        self._name = name

    async def read(self, client: Any, at_most: int = 99, received: Callable[[], object] = lambda: None) -> Reading:
        """Read one stream to its end, to its failure, or so far; report once the text of `GOOD` is there."""
        reading = Reading([])

        async def take(texts: Any) -> None:
            async for text in Either(texts):
                reading.items.append(text)
                if reading.text == "Hello, wonderful":
                    received()
                if len(reading.items) == at_most:
                    break

        try:
            if self._name == "open_stream":
                async with entered(open_stream(client, **REQUEST)) as stream:
                    try:
                        await take(stream.text_stream)
                    finally:
                        reading.response = stream.response
                    if len(reading.items) < at_most:
                        reading.message, reading.usage = await done(stream.get_final_message()), stream.usage
            else:
                source = await done(client.messages.create(**REQUEST, stream=True))
                reading.response = source.response
                async with Either(iter_text(source)) as texts:
                    await take(texts)
        except Exception as exc:
            reading.error = exc.with_traceback(None)
        return reading


@pytest.fixture(params=["open_stream", "iter_text"])
def way(request: pytest.FixtureRequest) -> Way:
    """Runs the test with `open_stream`, and with `iter_text` over what `create(stream=True)` gives."""
    return Way(request.param)


def assert_whole(reading: Reading, request_id: str = "req_platform") -> None:
    """Check that nothing is missing, and that nothing failed."""
    assert (reading.error, reading.text) == (None, "Hello, wonderful world!")
    if reading.message is not None:
        assert_same_message(reading.message, request_id)
        assert (reading.usage.input_tokens, reading.usage.output_tokens, reading.usage.final) == (10, 12, True)


def assert_same_message(message: Any, request_id: str = "req_platform") -> None:
    """Check that it is the message of `EVENTS`, whether or not it is of the SDK's class with `parsed_output`."""
    assert isinstance(message, type(MESSAGE))
    found = message.to_dict()
    for block in found["content"]:
        assert block.pop("parsed_output", None) is None
    assert found == MESSAGE.to_dict()
    assert message._request_id == request_id


def assert_failed(reading: Reading, expected: type[StreamError], request_id: str = "req_platform") -> None:
    """Check that `GOOD` came, and then an error of just this class, which holds it."""
    error = reading.error
    assert type(error) is expected, error
    assert isinstance(error, StreamError)
    assert (reading.text, reading.message) == ("Hello, wonderful", None)
    assert error.partial is not None
    assert [block.text for block in error.partial.content if block.type == "text"] == ["Hello, wonderful"]
    assert error.usage is not None
    assert (error.usage.input_tokens, error.usage.final) == (10, False)
    assert (error.content_started, error.request_id) == (True, request_id)


# -- every platform --


@pytest.mark.parametrize("size", [None, 7, 10_000])
@in_every_mode
async def test_a_whole_stream(mode: Mode, platform: Platform, way: Way, size: int | None) -> None:
    """Text, message and usage are right, whatever the pieces are in which the body comes."""
    body = platform.body(EVENTS)
    if size is not None:
        whole = b"".join(body)
        body = [whole[start : start + size] for start in range(0, len(whole), size)]
    requests: list[Any] = []
    client = platform.make(mode, body, requests)
    reading = await way.read(client)
    assert_whole(reading)
    assert reading.response.is_closed
    assert_same_message(await done(collect(client.messages.create(**REQUEST, stream=True))))
    for request in requests:
        assert request.url.path.replace("v1alpha", "v1") == platform.path  # older SDKs have the one, newer the other
        assert request.headers.get("authorization", "").startswith(platform.authorization)


@pytest.mark.parametrize("tail", [0, 1, 30, -1], ids=["between", "begun", "inside", "last byte"])
@in_every_mode
async def test_a_cut_stream(mode: Mode, platform: Platform, way: Way, tail: int) -> None:
    """A body that ends between two events or frames, or inside one, is truncated, and keeps what came before."""
    [rest] = platform.body(EVENTS[5:6])
    # The SSE of an event is whole without the line end that is missing here, and yet the message is not.
    reading = await way.read(platform.make(mode, [*platform.body(GOOD), rest[:tail]]))
    assert_failed(reading, StreamTruncatedError)
    assert reading.response.is_closed


@in_every_mode
async def test_an_empty_body(mode: Mode, platform: Platform, way: Way) -> None:
    """A body without an event is truncated, too, and there is no partial."""
    error = (await way.read(platform.make(mode, []))).error
    assert type(error) is StreamTruncatedError
    assert isinstance(error, StreamTruncatedError)
    assert error.partial is None


@in_every_mode
async def test_a_lost_connection(mode: Mode, platform: Platform, way: Way) -> None:
    """A transport that fails is a connection error with what came before, caused by the transport's."""
    reading = await way.read(platform.make(mode, [*platform.body(GOOD), http_of_the_sdk().ReadError]))
    assert_failed(reading, StreamConnectionError)
    assert reading.error is not None
    assert isinstance(reading.error.__cause__, http_of_the_sdk().ReadError)


@in_every_mode
async def test_a_fault_after_the_message(mode: Mode, platform: Platform, way: Way) -> None:
    """A transport that fails after message_stop changes nothing."""
    assert_whole(await way.read(platform.make(mode, [*platform.body(EVENTS), http_of_the_sdk().ReadError])))


@in_every_mode
async def test_leaving_early(mode: Mode, platform: Platform, way: Way) -> None:
    """Whoever leaves after the first text leaves a closed response, and no warning of ours, behind."""
    reading = await way.read(platform.make(mode, platform.body(EVENTS)), 1)
    assert (reading.items, reading.error) == (["Hello, w"], None)
    assert reading.response.is_closed


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("overloaded_error", StreamOverloadedError),
        ("rate_limit_error", StreamRateLimitError),
        ("weather_error", StreamAPIError),
    ],
)
@in_every_mode
async def test_an_error_event(
    mode: Mode, platform: Platform, way: Way, kind: str, expected: type[StreamAPIError]
) -> None:
    """An `error` event is the exception of its type on every platform, and keeps what came before."""
    reading = await way.read(platform.make(mode, platform.body([*GOOD, error_event(kind), *EVENTS[4:]])))
    assert_failed(reading, expected)
    assert isinstance(reading.error, anthropic.APIStatusError)
    assert reading.error.type == kind
    assert reading.response.is_closed


@in_every_mode
async def test_the_response_is_known_at_once(mode: Mode, platform: Platform) -> None:
    """What the headers say is there when the block is entered, as with the SDK's helper, before anything is read."""
    client = platform.make(mode, platform.body(EVENTS))
    async with entered(client.messages.stream(**REQUEST)) as stream:
        assert stream.request_id == "req_platform"
        assert stream.response.status_code == 200
    async with entered(open_stream(client, **REQUEST)) as stream:
        assert stream.request_id == "req_platform"
        assert stream.response.status_code == 200


# -- Bedrock's own --


@pytest.mark.parametrize(
    ("kind", "expected", "sdk_class"),
    [
        ("throttlingException", StreamRateLimitError, anthropic.RateLimitError),
        ("internalServerException", StreamInternalServerError, anthropic.InternalServerError),
        ("modelStreamErrorException", StreamInternalServerError, anthropic.InternalServerError),
        ("modelTimeoutException", StreamGatewayTimeoutError, anthropic.APIStatusError),
        ("serviceUnavailableException", StreamOverloadedError, anthropic.APIStatusError),
        ("validationException", StreamBadRequestError, anthropic.BadRequestError),
    ],
)
@in_every_mode
async def test_an_exception_frame(
    mode: Mode, bedrock: Platform, way: Way, kind: str, expected: type[StreamAPIError], sdk_class: type[Exception]
) -> None:
    """Each exception that Bedrock documents for its streams is the exception that stands for it here."""
    body = [*bedrock.body(GOOD), exception_frame(kind), *bedrock.body(EVENTS[4:])]
    reading = await way.read(bedrock.make(mode, body))
    assert_failed(reading, expected)
    error = reading.error
    assert isinstance(error, StreamAPIError)
    assert isinstance(error, anthropic.APIStatusError)
    assert isinstance(error, sdk_class)
    assert (error.type, error.api_message) == (kind, "said Bedrock")
    assert error.retryable is (expected is not StreamBadRequestError)
    assert error.status_code == expected._status
    assert error.response.status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {":exception-type": "weatherException", ":message-type": "exception"},
        {":error-code": "InternalError", ":error-message": "said AWS", ":message-type": "error"},
    ],
    ids=["exception", "error"],
)
@in_every_mode
async def test_an_unknown_exception_frame(mode: Mode, bedrock: Platform, way: Way, headers: dict[str, str]) -> None:
    """An exception that is not documented, and an error of AWS's own, are still errors of the API."""
    reading = await way.read(bedrock.make(mode, [*bedrock.body(GOOD), frame(headers, b"{}")]))
    assert_failed(reading, StreamAPIError)
    assert isinstance(reading.error, anthropic.APIStatusError)
    assert headers.get(":error-message", "") in str(reading.error)


@in_every_mode
async def test_an_exception_frame_first(mode: Mode, bedrock: Platform, way: Way) -> None:
    """An exception in the place of the first event is as typed, and has no partial."""
    error = (await way.read(bedrock.make(mode, [exception_frame("throttlingException")]))).error
    assert type(error) is StreamRateLimitError
    assert isinstance(error, StreamError)
    assert (error.partial, error.content_started, error.retryable) == (None, False, True)


def flipped(position: int) -> bytes:
    """Return a frame with one bit turned over."""
    damaged = bytearray(event_frame(EVENTS[4]))
    damaged[position] ^= 1
    return bytes(damaged)


@pytest.mark.parametrize("position", [0, 9, 20, 100, -1], ids=["length", "prelude CRC", "header", "payload", "CRC"])
@in_every_mode
async def test_a_corrupt_frame(mode: Mode, bedrock: Platform, way: Way, position: int) -> None:
    """A frame whose checksum is wrong is a StreamProtocolError, caused by botocore's, after all that came before."""
    reading = await way.read(bedrock.make(mode, [*bedrock.body(GOOD), flipped(position), *bedrock.body(EVENTS[5:])]))
    assert_failed(reading, StreamProtocolError)
    assert reading.error is not None
    assert type(reading.error.__cause__).__module__ == "botocore.eventstream"
    assert reading.response.is_closed


@in_every_mode
async def test_a_frame_that_holds_no_event(mode: Mode, bedrock: Platform, way: Way) -> None:
    """A frame of another kind is passed over; one whose event is cut is a StreamProtocolError."""
    other = frame({":event-type": "news", ":content-type": "application/json", ":message-type": "event"}, b"{}")
    assert_whole(await way.read(bedrock.make(mode, [*bedrock.body(GOOD), other, *bedrock.body(EVENTS[4:])])))
    payload = json.dumps({"bytes": base64.b64encode(b'{"type": "content_block').decode()}).encode()
    cut = frame({":event-type": "chunk", ":content-type": "application/json", ":message-type": "event"}, payload)
    assert_failed(await way.read(bedrock.make(mode, [*bedrock.body(GOOD), cut])), StreamProtocolError)


@in_every_mode
async def test_a_refused_request(mode: Mode, bedrock: Platform, way: Way) -> None:
    """What fails before the response begins is the SDK's own exception, unchanged."""
    client = bedrock.make(mode, [])
    package = http_of_the_sdk()
    transport = package.MockTransport(lambda _: package.Response(429, json={"message": "Too many requests"}))
    client = client.copy(http_client=type(client._client)(transport=transport))
    reading = await way.read(client)
    assert type(reading.error) is anthropic.RateLimitError
    assert reading.error.status_code == 429


# -- wrap --


@in_every_mode
async def test_wrapping(mode: Mode, platform: Platform) -> None:
    """A wrapped client has the same type and our stream, stable and beta, and so have its copies."""
    original = platform.make(mode, platform.body(EVENTS))
    wrapped = wrap_client(original)
    ours = AsyncMessageStream if mode.is_async else MessageStream
    http_client = original._client  # which Bedrock's copies lose in older SDKs
    copies = wrapped.with_options(timeout=3, http_client=http_client), wrapped.copy(http_client=http_client)
    for client in (wrapped, *copies, wrap_client(wrapped)):
        assert type(client) is type(original)
        for messages in filter(lambda own: hasattr(type(own), "stream"), (client.messages, client.beta.messages)):
            async with entered(messages.stream(**REQUEST)) as stream:
                assert type(stream) is ours
                texts = [text async for text in Either(stream.text_stream)]
                message = await done(stream.get_final_message())
            assert "".join(texts) == "Hello, wonderful world!"
            assert message.id == MESSAGE.id
            assert ("Beta" in type(message).__name__) is (messages is client.beta.messages)
        created = await done(client.messages.create(**REQUEST, stream=True))
        assert isinstance(created, (anthropic.Stream, anthropic.AsyncStream))
        await done(created.close())
    assert copies[0].timeout == 3
    assert "stream" not in vars(original.messages)


@in_every_mode
async def test_a_wrapped_client_raises_ours(mode: Mode, platform: Platform) -> None:
    """A stream of a wrapped client that is cut is truncated, with its partial."""
    client = wrap_client(platform.make(mode, platform.body(GOOD)))
    for messages in (client.messages, client.with_options(http_client=client._client).messages):
        with pytest.raises(StreamTruncatedError) as caught:
            async with entered(messages.stream(**REQUEST)) as stream:
                await done(stream.until_done())
        assert caught.value.partial is not None


@in_every_mode
async def test_a_wrapped_client_of_google_cloud_keeps_its_headers(mode: Mode) -> None:
    """Its token and its own headers go out, and no key of Anthropic's, also from the clients made of it."""
    options = {"project": "p", "location": "us-east5", "workspace_id": "w", "token_provider": lambda: "token"}
    platform = available(dataclasses.replace(GOOGLE_CLOUD, options=options))
    requests: list[Any] = []
    original = platform.make(mode, platform.body(EVENTS), requests, default_headers={"x-team": "blue"})
    wrapped = wrap_client(original)
    for client in (original, wrapped, wrapped.with_options(), wrapped.copy()):
        for messages in (client.messages, client.beta.messages):
            async with entered(messages.stream(**REQUEST)) as stream:
                assert isinstance(stream, AsyncMessageStream if mode.is_async else MessageStream) is (
                    client is not original
                )
                await done(stream.until_done())
        await done((await done(client.messages.create(**REQUEST, stream=True))).close())
    assert len(requests) == 12
    for request in requests:
        assert (request.headers["authorization"], request.headers["x-team"]) == ("Bearer token", "blue")
        assert "x-api-key" not in request.headers
        assert request.url.path == platform.path


# -- aiohttp --


AIOHTTP = pytest.mark.parametrize("mode", ["asyncio"], indirect=True)  # which knows no other loop


@contextlib.asynccontextmanager
async def over_aiohttp(server: Loopback) -> AsyncIterator[Any]:
    """Give a client whose requests go through aiohttp."""
    pytest.importorskip("aiohttp")
    try:
        http_client = anthropic.DefaultAioHttpClient(trust_env=False)
    except RuntimeError as exc:  # SDKs before 1.0 need one package more
        pytest.skip(str(exc))
    async with anthropic.AsyncAnthropic(
        base_url=server.url, api_key="x", max_retries=0, timeout=PATIENCE, http_client=http_client
    ) as client:
        yield client


@pytest.mark.usefixtures("patient_drain")
@pytest.mark.parametrize("pause", [0.0, 0.05])
@pytest.mark.socket
@AIOHTTP
@in_every_mode
async def test_aiohttp_reads_one_after_the_other(mode: Mode, way: Way, pause: float) -> None:  # noqa: ARG001
    """Whole streams are whole, and use one connection, even if the end of the body comes late."""
    with Loopback((body_of(EVENTS), pause, "finish")) as server:
        async with over_aiohttp(server) as client:
            for _ in range(3):
                reading = await way.read(client)
                assert_whole(reading, "req_loopback")
                assert reading.response.is_closed
        assert server.accepted == 1


@pytest.mark.parametrize("end", ["cut", "reset"])
@pytest.mark.socket
@AIOHTTP
@in_every_mode
async def test_aiohttp_loses_the_connection(mode: Mode, way: Way, end: End) -> None:  # noqa: ARG001
    """A connection that breaks in mid-body gives all the text before it, then a connection error with the partial."""
    go = threading.Event()
    with Loopback((body_of(GOOD), go, end)) as server:
        async with over_aiohttp(server) as client:
            reading = await way.read(client, received=go.set)
            assert await anyio.to_thread.run_sync(server.wait_until_closed)  # aiohttp closes when the loop runs
    assert_failed(reading, StreamConnectionError, "req_loopback")
    assert isinstance(reading.error, anthropic.APIConnectionError)
    assert isinstance(reading.error, StreamError)
    assert reading.error.retryable


@pytest.mark.socket
@AIOHTTP
@in_every_mode
async def test_aiohttp_ends_too_early(mode: Mode, way: Way) -> None:  # noqa: ARG001
    """A body that ends properly, but before its message does, is truncated."""
    with Loopback((body_of(GOOD), "finish")) as server:
        async with over_aiohttp(server) as client:
            assert_failed(await way.read(client), StreamTruncatedError, "req_loopback")


@pytest.mark.slow
@pytest.mark.socket
@AIOHTTP
@in_every_mode
async def test_aiohttp_stalls(mode: Mode, way: Way) -> None:  # noqa: ARG001
    """When nothing arrives for the client's read timeout, that is a StreamTimeoutError with the partial."""
    with Loopback((body_of(GOOD), "stall")) as server:
        async with over_aiohttp(server) as client:
            reading = await way.read(client.with_options(timeout=1.0))
            assert await anyio.to_thread.run_sync(server.wait_until_closed)
    assert_failed(reading, StreamTimeoutError, "req_loopback")


@pytest.mark.parametrize("end", ["cut", "linger"])
@pytest.mark.socket
@AIOHTTP
@in_every_mode
async def test_aiohttp_after_the_message(mode: Mode, way: Way, end: End) -> None:  # noqa: ARG001
    """A connection that breaks, or does not end, after message_stop changes nothing, and is given up."""
    with Loopback((body_of(EVENTS), end)) as server:
        async with over_aiohttp(server) as client:
            assert_whole(await way.read(client), "req_loopback")
            assert await anyio.to_thread.run_sync(server.wait_until_closed)


@pytest.mark.socket
@AIOHTTP
@in_every_mode
async def test_aiohttp_is_left_early(mode: Mode, way: Way) -> None:  # noqa: ARG001
    """Whoever leaves early leaves no connection open."""
    with Loopback((body_of(GOOD), "stall")) as server:
        async with over_aiohttp(server) as client:
            reading = await way.read(client, 1)
            assert (reading.items, reading.error) == (["Hello, w"], None)
            assert await anyio.to_thread.run_sync(server.wait_until_closed)


# -- tracing --


class Tracing:
    """A tracer provider that keeps the spans that have ended."""

    def __init__(self) -> None:
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import SimpleSpanProcessor
        from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

        self._exporter = InMemorySpanExporter()
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.option = {"open_telemetry": {"tracer_provider": provider}}

    def span(self) -> Any:
        """Return the one span that has ended since the last time."""
        [span] = self._exporter.get_finished_spans()
        self._exporter.clear()
        return span


@pytest.fixture
def tracing() -> Tracing:
    """Runs the test where the SDK traces its calls, and where there is something to trace them with."""
    pytest.importorskip("opentelemetry.sdk")
    if "open_telemetry" not in inspect.signature(anthropic.Anthropic).parameters:
        pytest.skip("SDKs before 1.14 trace nothing")
    return Tracing()


@pytest.fixture(params=["anthropic", "bedrock"])
def traced(request: pytest.FixtureRequest) -> Platform:
    """Runs the test over SSE and over Bedrock's frames, both of which the SDK traces."""
    return available(FIRST_PARTY if request.param == "anthropic" else BEDROCK)


async def both(mode: Mode, platform: Platform, way: Way, tracing: Tracing, body: Body) -> tuple[Reading, str, Any]:
    """Read the same traced and untraced, compare, and return what was read, and the span's status and attributes."""
    plain = await way.read(platform.make(mode, body, open_telemetry=False))
    assert stream_observer(plain) is None
    reading = await way.read(platform.make(mode, body, **tracing.option))
    assert stream_observer(reading) is not None
    assert (reading.items, type(reading.error)) == (plain.items, type(plain.error))
    assert (reading.message, reading.usage) == (plain.message, plain.usage)
    if reading.error is not None:
        assert isinstance(reading.error, StreamError)
        assert isinstance(plain.error, StreamError)
        assert (reading.error.partial, reading.error.usage) == (plain.error.partial, plain.error.usage)
        assert (reading.error.retryable, reading.error.request_id) == (plain.error.retryable, plain.error.request_id)
    span = tracing.span()
    return reading, span.status.status_code.name, dict(span.attributes)


def stream_observer(reading: Reading) -> object:
    """Return what the SDK watches a traced call's body with."""
    return getattr(reading.response.stream, "stream_observer", None)


@in_every_mode
async def test_the_span_of_a_whole_stream(mode: Mode, traced: Platform, way: Way, tracing: Tracing) -> None:
    """A message that is read to its end gives one span, which ends well and counts the tokens."""
    reading, status, attributes = await both(mode, traced, way, tracing, traced.body(EVENTS))
    assert_whole(reading)
    assert status == "OK"
    assert "error.type" not in attributes
    assert attributes["gen_ai.usage.input_tokens"] == 10
    assert attributes["gen_ai.usage.output_tokens"] == 12
    assert attributes["gen_ai.response.id"] == MESSAGE.id


@in_every_mode
async def test_the_span_of_events_that_the_sdk_does_not_know(
    mode: Mode, traced: Platform, way: Way, tracing: Tracing
) -> None:
    """Unknown events, deltas and blocks are the same in a traced call, and do not spoil its span."""
    unknown = [
        {"type": "news", "headline": "hello"},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "shout_delta", "volume": "11"}},
        {"type": "content_block_stop", "index": 0},
        {"type": "content_block_start", "index": 1, "content_block": {"type": "poem", "lines": ["a"]}},
        {"type": "content_block_stop", "index": 1},
        *EVENTS[6:],
    ]
    reading, status, attributes = await both(mode, traced, way, tracing, traced.body([*EVENTS[:5], *unknown]))
    assert (reading.error, reading.text, status) == (None, "Hello, wonderful world!", "OK")
    assert attributes["gen_ai.usage.output_tokens"] == 12
    if reading.message is not None:
        assert reading.message.content[0].volume == "11"
        assert reading.message.content[1].to_dict() == {"type": "poem", "lines": ["a"]}


@in_every_mode
async def test_the_span_of_a_fault_after_the_message(mode: Mode, traced: Platform, way: Way, tracing: Tracing) -> None:
    """A transport that fails after message_stop is no error, for the span either."""
    body = [*traced.body(EVENTS), http_of_the_sdk().ReadError]
    reading, status, attributes = await both(mode, traced, way, tracing, body)
    assert_whole(reading)
    assert status != "ERROR"
    assert "error.type" not in attributes
    assert attributes["gen_ai.usage.output_tokens"] == 12


@in_every_mode
async def test_the_span_of_a_message_without_its_stop(mode: Mode, traced: Platform, way: Way, tracing: Tracing) -> None:
    """A message that is whole by its stop reason, though message_stop is missing, is no error for the span either."""
    reading, status, _ = await both(mode, traced, way, tracing, traced.body(EVENTS[:-1]))
    assert_whole(reading)
    assert status != "ERROR"


@pytest.mark.parametrize("tail", [0, 30], ids=["between", "inside"])
@in_every_mode
async def test_the_span_of_a_cut_stream(mode: Mode, traced: Platform, way: Way, tracing: Tracing, tail: int) -> None:
    """A stream that is cut gives one span that ends as an error."""
    body = [*traced.body(GOOD), traced.encode(EVENTS[5])[:tail]]
    reading, status, attributes = await both(mode, traced, way, tracing, body)
    assert_failed(reading, StreamTruncatedError)
    assert status == "ERROR"
    assert attributes["gen_ai.usage.input_tokens"] == 10


@in_every_mode
async def test_the_span_of_a_lost_connection(mode: Mode, traced: Platform, way: Way, tracing: Tracing) -> None:
    """A transport that fails in the middle gives one span that ends as an error."""
    body = [*traced.body(GOOD), http_of_the_sdk().ReadError]
    reading, status, attributes = await both(mode, traced, way, tracing, body)
    assert_failed(reading, StreamConnectionError)
    assert (status, attributes["error.type"]) == ("ERROR", "connection_error")


@in_every_mode
async def test_the_span_of_an_error_event(mode: Mode, traced: Platform, way: Way, tracing: Tracing) -> None:
    """An `error` event gives one span that ends as an error of its type."""
    body = traced.body([*GOOD, error_event("overloaded_error")])
    reading, status, attributes = await both(mode, traced, way, tracing, body)
    assert_failed(reading, StreamOverloadedError)
    assert (status, attributes["error.type"]) == ("ERROR", "overloaded_error")


@in_every_mode
async def test_the_span_of_a_stream_that_is_left(mode: Mode, traced: Platform, way: Way, tracing: Tracing) -> None:
    """Whoever leaves a stream early ends its one span at once, and not as an error."""
    reading = await way.read(traced.make(mode, traced.body(EVENTS), **tracing.option), 1)
    assert stream_observer(reading) is not None
    assert (reading.items, reading.error, reading.response.is_closed) == (["Hello, w"], None, True)
    span = tracing.span()
    assert span.status.status_code.name != "ERROR"
    assert "error.type" not in span.attributes


@in_every_mode
async def test_the_span_of_a_stream_that_is_never_read(mode: Mode, traced: Platform, tracing: Tracing) -> None:
    """A stream that is entered and left unread ends its one span, and not as an error."""
    async with entered(open_stream(traced.make(mode, traced.body(EVENTS), **tracing.option), **REQUEST)):
        pass
    assert tracing.span().status.status_code.name != "ERROR"


@in_every_mode
@pytest.mark.parametrize("body", [EVENTS, GOOD], ids=["whole", "cut"])
async def test_the_span_has_the_content_that_the_helpers_has(
    mode: Mode, traced: Platform, tracing: Tracing, body: list[dict[str, Any]]
) -> None:
    """Where the SDK writes content to spans, ours has the same: the messages of the answer, as far as they came."""
    option = {**tracing.option["open_telemetry"], "traces": {"content_mode": "content"}}

    async def attributes_of(open_: Callable[[Any], Any]) -> dict[str, Any]:
        with contextlib.suppress(StreamTruncatedError):
            async with entered(open_(traced.make(mode, traced.body(body), open_telemetry=option))) as stream:
                await done(stream.until_done())
        span = tracing.span()
        return {name: value for name, value in span.attributes.items() if "time_to_first" not in name}

    theirs = await attributes_of(lambda client: client.messages.stream(**REQUEST))
    ours = await attributes_of(lambda client: open_stream(client, **REQUEST))
    wrapped = await attributes_of(lambda client: wrap_client(client).messages.stream(**REQUEST))
    if "gen_ai.input.messages" not in theirs:
        pytest.skip("this SDK writes no content to spans")
    assert "Hello, wonderful" in theirs["gen_ai.output.messages"]
    assert ours == wrapped == theirs


@in_every_mode
async def test_the_span_of_a_body_that_was_loaded_at_once_has_the_usage(mode: Mode, tracing: Tracing) -> None:
    """As test doubles and middleware give it: the response is closed before anything is read."""
    package = http_of_the_sdk()
    body = b"".join(FIRST_PARTY.body(EVENTS))
    transport = package.MockTransport(
        lambda _: package.Response(200, headers={"content-type": "text/event-stream"}, content=body)
    )
    http_client = (package.AsyncClient if mode.is_async else package.Client)(transport=transport)
    cls = anthropic.AsyncAnthropic if mode.is_async else anthropic.Anthropic
    client = cls(api_key="x", http_client=http_client, **tracing.option)
    async with entered(open_stream(client, **REQUEST)) as stream:
        assert await done(stream.get_final_text()) == "Hello, wonderful world!"
    span = tracing.span()
    assert span.status.status_code.name == "OK"
    assert span.attributes["gen_ai.usage.output_tokens"] == 12
