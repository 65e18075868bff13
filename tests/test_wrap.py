"""`wrap_client`: clients whose `stream` is ours, and which are the SDK's in everything else."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import anthropic
import pydantic
import pytest
import wrapt

from claude_stream import StreamTruncatedError, open_stream, wrap_client
from claude_stream._open import AsyncStreamManager, StreamManager
from claude_stream.testing import Recording, async_replay_client, message_events, replay_client
from tests.nets import http_of_the_sdk
from tests.support import REQUEST, Either, Mode, done, entered, in_every_mode
from tests.support import open_and_read_in as read

HELLO = Recording.from_events(message_events("Hello, world!"))
CUT = Recording.from_events(message_events("Hello, world!", cut=3))


# -- misuse --


@pytest.mark.parametrize("client", [None, "client", anthropic, anthropic.Anthropic(api_key="k").models])
def test_what_is_no_client(client: Any) -> None:
    """Anything that is no client of the SDK is named."""
    with pytest.raises(TypeError, match="a client of the SDK was expected"):
        wrap_client(client)


class Proxy:
    """What some packages put in front of a client."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


@pytest.mark.parametrize("of", ["client", "messages"])
@pytest.mark.parametrize("kind", [Proxy, wrapt.ObjectProxy])
def test_a_proxy_is_refused(of: str, kind: Any) -> None:
    """What stands in front of a client, or of its messages, cannot be copied; the error says what to do."""
    client: Any = replay_client(HELLO)
    if of == "client":
        client = kind(client)
    else:
        client.messages = kind(client.messages)
    with pytest.raises(TypeError, match=f"{kind.__name__} stands in front .* wrap the client first"):
        wrap_client(client)
    with open_stream(client, **REQUEST) as stream:
        assert stream.get_final_text() == "Hello, world!"


@pytest.mark.parametrize("cls", [anthropic.Anthropic, anthropic.AsyncAnthropic])
def test_a_class_is_no_client_and_stays_as_it_is(cls: Any) -> None:
    """The error says to call it, and later clients are what they would have been."""
    before = {**vars(cls)}
    with pytest.raises(TypeError, match=f"the class {cls.__name__}: pass {cls.__name__}"):
        wrap_client(cls)
    assert {**vars(cls)} == before


def test_messages_without_a_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    """They get none, as Bedrock's beta messages in older SDKs; those beside them get ours."""
    client: Any = replay_client(HELLO)
    monkeypatch.delattr(type(client.beta.messages), "stream")
    wrapped = wrap_client(client)
    assert not hasattr(wrapped.beta.messages, "stream")
    assert type(wrapped.messages.stream(**REQUEST)) is StreamManager


@pytest.mark.parametrize("name", ["modle", "idle_timeout", "stream"])
@pytest.mark.parametrize("part", ["messages", "beta.messages"])
def test_a_parameter_that_stream_does_not_have(mode: Mode, name: str, part: str) -> None:
    """It is a TypeError at the call, as with the SDK, and names the parameter."""
    stream = _of(wrap_client(mode.client()), part).stream
    with pytest.raises(TypeError, match=name):
        stream(**REQUEST, **{name: 1})


def test_a_parameter_that_is_missing(mode: Mode) -> None:
    """So is one that is left out."""
    with pytest.raises(TypeError, match="max_tokens"):
        wrap_client(mode.client()).messages.stream(model="any", messages=[])


# -- what it is --


class OwnClient(anthropic.Anthropic):
    """A subclass whose constructor is its own."""

    def __init__(self, name: str, http_client: Any) -> None:
        super().__init__(api_key="k", http_client=http_client)
        self.name = name


def test_a_wrapped_client(mode: Mode) -> None:
    """It has the same type and the same HTTP client, streams with us, and leaves the one it was made of alone."""
    client = mode.client(HELLO, HELLO, HELLO)
    wrapped = wrap_client(client)
    assert type(wrapped) is type(client)
    assert wrapped._client is client._client
    assert read(mode, lambda: wrapped.messages.stream(**REQUEST))[1] == "Hello, world!"
    assert read(mode, lambda: wrapped.beta.messages.stream(**REQUEST))[1] == "Hello, world!"
    for messages in (client.messages, client.beta.messages):
        assert messages.stream.__func__ is type(messages).stream


@pytest.mark.parametrize("name", ["with_options", "copy"])
def test_clients_made_of_a_wrapped_one(mode: Mode, name: str) -> None:
    """Options are kept, and so is the wrapping, with its own options."""
    wrapped = getattr(wrap_client(mode.client(CUT), strict=False), name)(timeout=7)
    assert wrapped.timeout == 7
    assert read(mode, lambda: wrapped.messages.stream(**REQUEST))[1] == "Hello, w"


def test_wrapping_twice(mode: Mode) -> None:
    """It is harmless, and the last options hold."""
    wrapped = wrap_client(wrap_client(mode.client(CUT, CUT), strict=False))
    with pytest.raises(StreamTruncatedError):
        read(mode, lambda: wrapped.messages.stream(**REQUEST))
    assert read(mode, lambda: wrap_client(wrapped, strict=False).messages.stream(**REQUEST))[1] == "Hello, w"


def test_everything_else_is_the_sdks(mode: Mode) -> None:
    """`create(stream=True)` gives the SDK's stream, and what makes raw responses is of the SDK's class."""
    client = mode.client(HELLO, HELLO)
    wrapped = wrap_client(client)
    assert type(wrapped.messages.with_raw_response) is type(client.messages.with_raw_response)

    async def main() -> None:
        created = wrapped.messages.create(**REQUEST, stream=True)
        stream = await created if mode.is_async else created
        assert type(stream) is (anthropic.AsyncStream if mode.is_async else anthropic.Stream)
        await stream.close() if mode.is_async else stream.close()

    mode.run(main) if mode.is_async else Mode("asyncio").run(main)


class City(pydantic.BaseModel):
    """What the model is asked for."""

    name: str


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # older SDKs: of their own output_format
@pytest.mark.parametrize("beta", [False, True], ids=["stable", "beta"])
@in_every_mode
async def test_other_calls_give_what_they_give_on_the_plain_client(mode: Mode, beta: bool) -> None:
    """Parsed messages, counted tokens, raw and streamed responses, and the requests for them, are the same."""
    answer = Recording.from_events(message_events('{"name": "Paris"}'))
    counted = Recording((b'{"input_tokens": 7}',), content_type="application/json")

    def client() -> Any:
        replaying = async_replay_client if mode.is_async else replay_client
        return replaying(choose=lambda request: counted if request.path.endswith("/count_tokens") else answer)

    plain, own = client(), client()
    wrapped = wrap_client(own)
    theirs, ours = [await _other_calls(made.beta if beta else made) for made in (plain, wrapped)]
    assert ours == theirs
    assert ours["parse"][1].parsed_output == City(name="Paris")
    assert ours["count_tokens"][1].input_tokens == 7
    assert ours["raw"][1][1].content[0].text == '{"name": "Paris"}'
    assert ours["streaming"][1][1] == answer.body()
    assert [(sent.path, sent.body, sent.headers) for sent in own.requests] == [
        (sent.path, sent.body, sent.headers) for sent in plain.requests
    ]
    assert len(own.requests) == 4


async def _other_calls(client: Any) -> dict[str, tuple[type, Any]]:
    """Return what each call gives: its type, and what there is to compare."""
    messages = client.messages
    parsed = await done(messages.parse(**REQUEST, output_format=City))
    counted = await done(messages.count_tokens(model="any", messages=[]))
    raw = await done(messages.with_raw_response.create(**REQUEST))
    async with entered(messages.with_streaming_response.create(**REQUEST, stream=True)) as streaming:
        body = [chunk async for chunk in Either(streaming.iter_bytes())]
        streamed = dict(streaming.headers), b"".join(body)
    return {
        "parse": (type(parsed), parsed),
        "count_tokens": (type(counted), counted),
        "raw": (type(raw), (dict(raw.headers), await done(raw.parse()))),
        "streaming": (type(streaming), streamed),
    }


def test_a_subclass_with_its_own_constructor() -> None:
    """The copy is not constructed, so that it does not matter how."""
    mode = Mode("sync")
    own = OwnClient("mine", mode.client(HELLO)._client)
    wrapped = wrap_client(own)
    assert (type(wrapped), wrapped.name) == (OwnClient, "mine")
    assert read(mode, lambda: wrapped.messages.stream(**REQUEST))[1] == "Hello, world!"


def test_a_wrapped_client_in_the_place_of_another(mode: Mode) -> None:
    """Code that was written for the SDK's helper runs as it is."""
    client = wrap_client(mode.client(HELLO))

    async def main() -> tuple[list[str], Any]:
        if mode.is_async:
            async with client.messages.stream(**REQUEST) as stream:
                texts = [event.text async for event in stream if event.type == "text"]
                return texts, await stream.get_final_message()
        with client.messages.stream(**REQUEST) as stream:
            return [event.text for event in stream if event.type == "text"], stream.get_final_message()

    texts, message = mode.run(main) if mode.is_async else Mode("asyncio").run(main)
    assert texts == ["Hello, w", "orld!"]
    assert message.content[0].text == "Hello, world!"


# -- looks --


def _of(client: Any, path: str) -> Any:
    for name in path.split("."):
        client = getattr(client, name)
    return client


@pytest.mark.parametrize("path", ["messages.stream", "beta.messages.stream", "copy", "with_options"])
def test_methods_look_like_the_sdks(mode: Mode, path: str) -> None:
    """Signature, name and documentation are those of the SDK's own method."""
    client = mode.client()
    theirs, ours = _of(client, path), _of(wrap_client(client), path)
    assert inspect.signature(ours) == inspect.signature(theirs)
    assert (ours.__name__, ours.__doc__) == (theirs.__name__, theirs.__doc__)
    assert ours is not theirs


# -- what is set later --


@pytest.mark.parametrize("path", ["", "with_options", "copy"])
def test_a_key_that_is_set_later_goes_out(mode: Mode, path: str) -> None:
    """It reaches the stream, and the clients made of this one, and not the client that was wrapped."""
    client = mode.client(HELLO, HELLO)
    wrapped = wrap_client(client)
    wrapped.api_key = "later"
    other = getattr(wrapped, path)(timeout=5) if path else wrapped
    read(mode, lambda: other.messages.stream(**REQUEST))
    read(mode, lambda: wrap_client(client).messages.stream(**REQUEST))
    assert [_key_in(request) for request in client.requests] == ["later", "sk-ant-replay"]


def _key_in(request: Any) -> str:
    """Return the key of a request, which the SDK sends in one of two headers."""
    headers = {name.lower(): value for name, value in request.headers.items()}
    return headers.get("x-api-key") or headers["authorization"].removeprefix("Bearer ")


@pytest.mark.parametrize(
    "use",
    [
        lambda client: client.messages.create(**REQUEST),
        lambda client: client.beta.messages.create(**REQUEST),
        lambda client: client.messages.count_tokens(model="any", messages=[]),
        lambda client: client.messages.with_raw_response.create(**REQUEST),
        lambda client: client.with_raw_response.messages.create(**REQUEST),
        lambda client: client.messages.batches.list(),
        lambda client: client.models.list(),
        lambda client: client.beta.models.list(),
    ],
    ids=["create", "beta", "count_tokens", "raw", "raw client", "batches", "models", "beta models"],
)
def test_a_key_that_is_set_later_reaches_every_resource(use: Any) -> None:
    """Also those that were used before, and kept, by the client that was wrapped."""
    client: Any = Mode("sync").client()
    for _ in range(2):
        with pytest.raises(anthropic.APIStatusError):  # no recording is left: what counts is the request
            use(client)
    wrapped = wrap_client(client)
    wrapped.api_key = "later"
    wrapped.max_retries = 0
    with pytest.raises(anthropic.APIStatusError):
        use(wrapped)
    assert _key_in(client.requests[-1]) == "later"


async def _entered(manager: Any) -> None:
    async with entered(manager):
        pass


USES: dict[str, Callable[[Any], Any]] = {
    "stream": lambda client: _entered(client.messages.stream(**REQUEST)),
    "beta stream": lambda client: _entered(client.beta.messages.stream(**REQUEST)),
    "create": lambda client: client.messages.create(**REQUEST),
    "beta": lambda client: client.beta.messages.create(**REQUEST),
    "models": lambda client: client.models.list(),
    "raw": lambda client: client.messages.with_raw_response.create(**REQUEST),
    "raw client": lambda client: client.with_raw_response.messages.create(**REQUEST),
    "tool runner": lambda client: client.beta.messages.tool_runner(**REQUEST, tools=[]).until_done(),
    "tool runner, streamed": lambda client: _first(client.beta.messages.tool_runner(**REQUEST, tools=[], stream=True)),
}


async def _first(runner: Any) -> None:
    async for stream in Either(runner):
        await done(stream.until_done())


class Down:
    """A real client of a server that is down, and what it was asked, but for headers that name the SDK's helper."""

    def __init__(self, mode: Mode, **options: Any) -> None:
        package = http_of_the_sdk()
        transport = package.MockTransport(self._respond)
        http_client = (package.AsyncClient if mode.is_async else package.Client)(transport=transport)
        cls = anthropic.AsyncAnthropic if mode.is_async else anthropic.Anthropic
        self.client: Any = cls(api_key="first", max_retries=1, http_client=http_client, **options)
        self._package, self._asked = package, list[Any]()

    def _respond(self, request: Any) -> Any:
        headers = {k: v for k, v in request.headers.items() if not k.startswith(HELPER_HEADERS)}
        self._asked.append((str(request.url), headers, request.extensions["timeout"]))
        return self._package.Response(529, headers={"retry-after-ms": "1"}, json={})

    async def asked(self, client: Any) -> dict[str, list[Any]]:
        """Return the requests of each use of a client: URL, headers, and timeout, once for each try."""
        found = {}
        for name, use in USES.items():
            self._asked = []
            with pytest.raises(anthropic.APIStatusError):
                await done(use(client))
            found[name] = self._asked
        return found


HELPER_HEADERS = ("x-stainless-helper-method", "x-stainless-stream-helper", "x-stainless-raw-response")


@pytest.mark.parametrize("path", ["", "with_options", "copy"])
@pytest.mark.parametrize(
    "later",
    [
        {"api_key": "later"},
        {"api_key": None, "auth_token": "later"},
        {"base_url": "https://later.test/below/"},
        {"timeout": 7.0},
        {"max_retries": 0},
    ],
    ids=["api_key", "auth_token", "base_url", "timeout", "max_retries"],
)
@in_every_mode
async def test_what_is_set_later_holds_as_on_the_plain_client(mode: Mode, later: dict[str, Any], path: str) -> None:
    """Each request is that of a plain client on which the same was set, and those of the original stay as they were."""
    down = Down(mode)
    before = await down.asked(down.client)
    wrapped = wrap_client(down.client)
    plain = Down(mode)
    for name, value in later.items():
        setattr(wrapped, name, value)
        setattr(plain.client, name, value)
    ours, theirs = ((getattr(client, path)() if path else client) for client in (wrapped, plain.client))
    expected = await plain.asked(theirs)
    assert not [name for name in USES if expected[name] == before[name]]
    assert await down.asked(ours) == expected
    assert await down.asked(down.client) == before


# -- clients with another kind of authorization --


@pytest.mark.parametrize("path", ["", "with_options", "copy"])
@pytest.mark.parametrize("first", ["scoped", "wrapped"])
@in_every_mode
async def test_a_scoped_client_keeps_its_headers(mode: Mode, first: str, path: str) -> None:
    """The bearer of the SDK's helpers goes out alone, with the client's own headers, whichever is done first."""
    scopes = pytest.importorskip("anthropic.lib._scoped_client")
    down = Down(mode, default_headers={"x-team": "blue"})

    def scoped(client: Any) -> Any:
        made = scopes._copy_client_with_bearer_auth(client, auth_token="scoped", helper="environments-worker")
        if hasattr(scopes, "copy_scoped_client"):
            made = scopes.copy_scoped_client(made, open_telemetry=False)
        return made

    theirs = scoped(down.client)
    ours = wrap_client(theirs) if first == "scoped" else scoped(wrap_client(down.client))
    assert isinstance(ours.messages.stream(**REQUEST), StreamManager | AsyncStreamManager)
    theirs, ours = ((getattr(client, path)(max_retries=0) if path else client) for client in (theirs, ours))
    asked = await down.asked(ours)
    for requests in asked.values():
        for _, headers, _ in requests:
            assert (headers["authorization"], headers["x-team"]) == ("Bearer scoped", "blue")
            assert "environments-worker" in headers["x-stainless-helper"]
            assert "x-api-key" not in headers
    assert asked == await down.asked(theirs)


def test_the_tool_runner_streams_as_the_sdk_does_with_what_is_set_later(mode: Mode) -> None:
    """It reads the SDK's own streams, on a client that has the new key."""
    client = mode.client(HELLO)
    wrapped = wrap_client(client)
    wrapped.api_key = "later"
    ours = wrapped.beta.messages.tool_runner
    assert inspect.signature(ours) == inspect.signature(client.beta.messages.tool_runner)

    async def main() -> list[type]:
        runner = ours(**REQUEST, tools=[], stream=True)
        if mode.is_async:
            return [type(stream) async for stream in runner if await stream.get_final_text()]
        return [type(stream) for stream in runner if stream.get_final_text()]

    [kind] = (mode if mode.is_async else Mode("asyncio")).run(main)
    assert kind.__module__.startswith("anthropic")
    assert _key_in(client.requests[-1]) == "later"


def test_middleware_sends_with_what_is_set_later(mode: Mode) -> None:
    """The last call of a chain is that of the wrapped client."""
    if "middleware" not in inspect.signature(anthropic.Anthropic).parameters:
        pytest.skip("this SDK has no middleware")
    client = mode.client(HELLO)
    seen = []

    def sync_middleware(request: Any, call_next: Any) -> Any:
        seen.append("request")
        return call_next(request)

    async def async_middleware(request: Any, call_next: Any) -> Any:
        seen.append("request")
        return await call_next(request)

    wrapped = wrap_client(client.with_middleware(async_middleware if mode.is_async else sync_middleware))
    wrapped.api_key = "later"
    assert read(mode, lambda: wrapped.messages.stream(**REQUEST))[1] == "Hello, world!"
    assert (seen, _key_in(client.requests[-1])) == (["request"], "later")


# -- patches --


def test_a_patch_on_the_instance_is_kept(mode: Mode) -> None:
    """Who has patched `create` of the client sees the calls of the wrapped one, those of `stream` among them."""
    client = mode.client(HELLO, HELLO)
    create, seen = client.messages.create, []

    def patched(**params: Any) -> Any:
        seen.append(params["model"])
        return create(**params)

    client.messages.create = patched
    client.messages.label = "mine"
    wrapped = wrap_client(client)
    assert wrapped.messages.label == "mine"
    assert read(mode, lambda: wrapped.messages.stream(**REQUEST))[1] == "Hello, world!"
    assert read(mode, lambda: wrap_client(wrapped).messages.stream(**REQUEST))[1] == "Hello, world!"
    assert seen == ["any", "any"]


def test_patching_a_wrapped_client_shows_each_call_once(mode: Mode) -> None:
    """A patch of both `stream` and `create` sees the call of `stream`, and not the request that is made for it."""
    wrapped = wrap_client(mode.client(HELLO, HELLO))
    stream, create, seen = wrapped.messages.stream, wrapped.messages.create, []

    def patched_stream(**params: Any) -> Any:
        seen.append("stream")
        return stream(**params)

    def patched_create(**params: Any) -> Any:
        seen.append("create")
        return create(**params)

    wrapped.messages.stream, wrapped.messages.create = patched_stream, patched_create
    assert read(mode, lambda: wrapped.messages.stream(**REQUEST))[1] == "Hello, world!"
    assert read(mode, lambda: stream(**REQUEST))[1] == "Hello, world!"
    assert seen == ["stream"]


def test_a_patch_of_create_alone_on_a_wrapped_client(mode: Mode) -> None:
    """Who patches `create` of a wrapped client, and nothing else, sees the calls of `stream`."""
    wrapped = wrap_client(mode.client(HELLO, HELLO))
    seen = []

    def patch(messages: Any, name: str) -> None:
        create = messages.create

        def patched(**params: Any) -> Any:
            seen.append((name, params["stream"]))
            return create(**params)

        async def async_patched(**params: Any) -> Any:
            seen.append((name, params["stream"]))
            return await create(**params)

        messages.create = async_patched if mode.is_async else patched

    patch(wrapped.messages, "stable")
    patch(wrapped.beta.messages, "beta")
    assert read(mode, lambda: wrapped.messages.stream(**REQUEST))[1] == "Hello, world!"
    assert read(mode, lambda: wrapped.beta.messages.stream(**REQUEST))[1] == "Hello, world!"
    assert seen == [("stable", True), ("beta", True)]


def test_a_client_of_an_sdk_without_middleware(mode: Mode) -> None:
    """There is no chain to make again."""
    client = mode.client(HELLO)
    client._build_middleware_chain = None
    assert read(mode, lambda: wrap_client(client).messages.stream(**REQUEST))[1] == "Hello, world!"
