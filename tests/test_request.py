"""One request: what it may ask, whose function sends it, and where the SDK's warnings point."""

from __future__ import annotations

import importlib
import inspect
import types
import typing
import warnings
from typing import Any

import anthropic
import pydantic
import pytest
import wrapt

from claude_stream import _request as request
from claude_stream import open_stream, wrap_client
from claude_stream.testing import Recording, message_events
from tests.support import REQUEST, Mode
from tests.support import open_and_read_in as read

HELLO = Recording.from_events(message_events("Hello, world!"))
IN_JSON = Recording.from_events(message_events('{"name": "Paris"}'))
SCHEMA = {"type": "json_schema", "schema": {"type": "object"}}
SDK = tuple(int(part) for part in anthropic.__version__.split(".")[:2])
OLD = SDK < (1, 0)
CLIENT = anthropic.Anthropic(api_key="k")


class City(pydantic.BaseModel):
    """What the model is asked for."""

    name: str


# -- output_format --


@pytest.mark.parametrize("beta", [False, True], ids=["stable", "beta"])
def test_a_dict_for_output_format(beta: bool) -> None:
    """It is what it is for the SDK that is installed: refused since 1.0, the format itself before."""
    if OLD:
        params, adapter = request.with_format({}, SCHEMA, beta=beta)
        assert (params, adapter) == ({"output_config": {"format": SCHEMA}}, None)
        return
    with pytest.raises(TypeError, match="output_config="):
        request.with_format({}, SCHEMA, beta=beta)


def test_a_dict_with_an_old_sdk(monkeypatch: pytest.MonkeyPatch) -> None:
    """There it is the format itself, and nothing is parsed."""
    monkeypatch.setattr(anthropic, "__version__", "0.110.0")
    assert request.with_format({}, SCHEMA, beta=False) == ({"output_config": {"format": SCHEMA}}, None)


def test_a_type_without_a_schema() -> None:
    """The error names it."""
    with pytest.raises(TypeError, match="object at"):
        request.with_format({}, object(), beta=False)


def test_two_formats() -> None:
    """Beta requests refuse that, as the SDK does; in others the type wins, as it does there."""
    params = {"output_config": {"format": SCHEMA, "effort": "low"}}
    with pytest.raises(anthropic.AnthropicError, match=r"Both output_format and output_config\.format"):
        request.with_format(params, City, beta=True)
    merged, adapter = request.with_format(params, City, beta=False)
    assert merged["output_config"]["effort"] == "low"
    assert merged["output_config"]["format"]["schema"]["properties"].keys() == {"name"}
    assert adapter is not None
    assert params == {"output_config": {"format": SCHEMA, "effort": "low"}}


@pytest.mark.parametrize("none", [None, anthropic.omit, anthropic.NOT_GIVEN], ids=["None", "omit", "NOT_GIVEN"])
@pytest.mark.parametrize("config", [{}, {"output_config": anthropic.omit}], ids=["no config", "omitted config"])
def test_no_output_format(mode: Mode, none: Any, config: Any) -> None:
    """All ways to leave it out are the same, and nothing of it goes out."""
    client = mode.client(HELLO, HELLO)
    read(mode, lambda: open_stream(client, **REQUEST, **config, output_format=none))
    read(mode, lambda: wrap_client(client).messages.stream(**REQUEST, **config, output_format=none))
    assert ["output_config" in sent.body for sent in client.requests] == [False, False]


def test_a_type_beside_an_omitted_config(mode: Mode) -> None:
    """`omit` is no config, and the format goes out alone."""
    client = mode.client(IN_JSON)
    stream, _ = read(mode, lambda: open_stream(client, **REQUEST, output_config=anthropic.omit, output_format=City))
    assert client.requests[0].body["output_config"].keys() == {"format"}
    assert stream.current_message_snapshot.content[0].type == "text"


# -- parameters --


def test_an_unknown_parameter_is_refused_at_the_call(mode: Mode) -> None:
    """Before anything is entered or sent, with its name."""
    with pytest.raises(TypeError, match=r"open_stream\(\).*'modle'"):
        open_stream(mode.client(), **REQUEST, modle=1)


def test_a_client_that_is_none_of_the_sdks() -> None:
    """What has `messages.create` is called with what was passed, and what it gives is read."""
    asked: list[Any] = []

    class Messages:
        def create(self, **params: Any) -> Any:
            asked.append(params)
            return message_events("Hello")

    client: Any = types.SimpleNamespace(messages=Messages())
    assert read(Mode("sync"), lambda: open_stream(client, any_name=1))[1] == "Hello"
    assert asked == [{"any_name": 1, "stream": True}]


def test_an_async_client_that_is_none_of_the_sdks() -> None:
    """It is told by its `create`."""

    class Messages:
        async def create(self, **_: Any) -> Any:
            return Mode("asyncio").source(message_events("Hello"))

    client: Any = types.SimpleNamespace(messages=Messages())
    assert read(Mode("asyncio"), lambda: open_stream(client))[1] == "Hello"


# -- whose function --


def plain(self: Any, **params: Any) -> Any:
    """Stand where a patch stands."""


@pytest.mark.parametrize(
    "create",
    [
        types.MethodType(plain, CLIENT.messages),
        wrapt.FunctionWrapper(CLIENT.messages.create, lambda wrapped, *_: wrapped),
        wrapt.ObjectProxy(CLIENT.messages.create),
        lambda **_: None,
    ],
    ids=["function", "wrapper", "proxy", "lambda"],
)
def test_a_patched_create_is_watched(create: Any) -> None:
    """Whatever stands in front of the SDK's own method, and however well it hides."""
    assert request.is_watched(create)
    assert not request.is_watched(request.unwatched(create, CLIENT.messages))


def test_the_sdks_own_is_not() -> None:
    """Nor is that of any of its clients."""
    for client in (CLIENT, anthropic.AsyncAnthropic(api_key="k")):
        for messages in (client.messages, client.beta.messages):
            assert not request.is_watched(messages.create)


@pytest.fixture
def patched_class(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Patch the class as instrumentation does, with a wrapper that leads to what it wraps."""
    cls: Any = importlib.import_module("anthropic.resources.messages").Messages
    own = cls.create
    monkeypatch.setattr(cls, "create", wrapt.FunctionWrapper(own, lambda wrapped, _, args, kw: wrapped(*args, **kw)))
    return own


def test_the_sdks_own_under_a_patch(patched_class: Any) -> None:
    """It is found, for the parameters, and for who is not to be seen twice."""
    assert request.own_function(CLIENT.messages, "create") is patched_class
    assert request.is_watched(CLIENT.messages.create)
    assert not request.is_watched(request.unwatched(CLIENT.messages.create, CLIENT.messages))


def test_a_patch_that_leads_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then the patched method is all there is."""
    monkeypatch.setattr(importlib.import_module("anthropic.resources.messages").Messages, "create", plain)
    assert request.own_function(CLIENT.messages, "create") is None
    create = CLIENT.messages.create
    assert request.unwatched(create, CLIENT.messages) is create


# -- where warnings point --


def deprecated_model() -> str:
    module = importlib.import_module("anthropic.resources.messages.messages")
    return next(iter(module.DEPRECATED_MODELS))


@pytest.mark.parametrize("wrapped", [False, True], ids=["open_stream", "wrapped"])
def test_a_warning_of_the_sdk_points_at_the_callers_line(mode: Mode, wrapped: bool) -> None:
    """So that Python shows it, and so that it names the line that is to be changed; once."""
    client = mode.client(HELLO)
    params = {**REQUEST, "model": deprecated_model()}
    stream = wrap_client(client).messages.stream
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        made: Any = stream(**params) if wrapped else open_stream(client, **params)
        line = this_line()
        read(mode, lambda: made)
    [warning] = [each for each in caught if issubclass(each.category, DeprecationWarning)]
    assert (warning.filename, warning.lineno) == (__file__, line - 1)


def this_line() -> int:
    """Return the line that this is called from."""
    import sys

    return sys._getframe(1).f_lineno


def test_default_filters_show_it(mode: Mode) -> None:
    """Python's own filters show a DeprecationWarning in the program's main module, and nowhere else."""
    client = mode.client(HELLO)
    main: dict[str, Any] = {"__name__": "__main__", "open_stream": open_stream, "client": client}
    main["params"] = {**REQUEST, "model": deprecated_model()}
    exec(compile("manager = open_stream(client, **params)", "main.py", "exec"), main)
    with warnings.catch_warnings(record=True) as caught:
        warnings.resetwarnings()
        warnings.filterwarnings("default", category=DeprecationWarning, module="__main__")
        warnings.filterwarnings("ignore", category=DeprecationWarning, append=True)
        read(mode, lambda: main["manager"])
    assert [(each.filename, each.lineno) for each in caught] == [("main.py", 1)]


@pytest.mark.parametrize("beta", [False, True], ids=["stable", "beta"])
def test_the_typed_parameters_are_those_of_create(beta: bool) -> None:
    """A parameter that the SDK has learnt is missing from our types until somebody writes it down."""
    if SDK < (2, 12):
        pytest.skip("the types are those of a newer SDK")
    from claude_stream import _params

    typed = _params.BetaParams if beta else _params.Params
    messages = CLIENT.beta.messages if beta else CLIENT.messages
    theirs = {*inspect.signature(messages.create).parameters} - {"stream"}
    ours = {"strict", "restarts", "first_timeout", "idle_timeout", "silent_timeout"}
    assert theirs - {*typed.__annotations__} == set()
    assert {*typed.__annotations__} - theirs - ours <= {"temperature", "top_k", "top_p"}


@pytest.mark.parametrize("beta", [False, True], ids=["stable", "beta"])
def test_the_typed_parameters_can_be_left_out_as_those_of_create(beta: bool) -> None:
    """What takes `omit`, and what takes None, in the SDK's signature does so in our types, and nothing else does."""
    if SDK < (2, 12):
        pytest.skip("the types are those of a newer SDK")
    from claude_stream import _params

    typed = typing.get_type_hints(_params.BetaParams if beta else _params.Params)
    messages = type(CLIENT.beta.messages if beta else CLIENT.messages)
    theirs = typing.get_type_hints(messages.create)
    written = {name for name in typed.keys() & theirs.keys() if typed[name] is not Any}  # which takes everything
    assert "tool_choice" in written
    for kind in (anthropic.Omit, type(None)):
        assert {name for name in written if kind in typing.get_args(typed[name])} == {
            name for name in written if kind in typing.get_args(theirs[name])
        }
