"""What a client is made of: its parts, its methods, and the HTTP package under it."""

from __future__ import annotations

import functools
import inspect
import types
import warnings
from typing import Any

import anthropic
import pytest

from tests.whole.sdk_facts.sdk import API, BOTH, HELLO, HTTP, REQUEST, SDK, STABLE_AND_BETA, body_of, messages_of

CLIENTS = {False: anthropic.Anthropic, True: anthropic.AsyncAnthropic}


def test_the_http_package() -> None:
    """It is `httpx` before 1.0, and `httpx2` since; the ancestry of the SDK's own HTTP client names it.

    Used by: `testing._http.http_package`, `_open._leads_to_a_response`.
    """
    packages = {base.__module__.partition(".")[0] for base in anthropic.DefaultHttpxClient.__mro__}
    assert {name for name in packages if name.startswith("httpx")} == {HTTP.__name__}


@BOTH
def test_the_http_client(is_async: bool) -> None:
    """It is the client's `_client`, and `copy(http_client=...)` takes another.

    Used by: `testing._record.recording_client`.
    """
    client = API(b"").client(is_async=is_async)
    cls = HTTP.AsyncClient if is_async else HTTP.Client
    assert isinstance(client._client, cls)
    other = cls()
    assert client.copy(http_client=other)._client is other


@BOTH
@STABLE_AND_BETA
def test_the_parts_of_a_client(is_async: bool, beta: bool) -> None:
    """`messages` knows its client as `_client`, is kept on it once it was asked for, and is made of the client alone.

    Used by: `_wrap._copied`, `_wrap._part_of`.
    """
    client: Any = CLIENTS[is_async](api_key="key")
    messages = messages_of(client, beta=beta)
    assert messages._client is client
    assert messages_of(client, beta=beta) is messages
    assert vars(client)["beta" if beta else "messages"] is (client.beta if beta else messages)
    assert {*vars(type(messages)(client))} == {*vars(messages)}


@BOTH
@STABLE_AND_BETA
def test_the_names_of_its_classes(is_async: bool, beta: bool) -> None:
    """Async ones descend from an `AsyncAPIResource`, and those of the beta API are defined in a module named so.

    Used by: `_request.is_async`, `_request.is_beta`.
    """
    ancestry = type(messages_of(CLIENTS[is_async](api_key="key"), beta=beta)).__mro__
    assert any(base.__name__ == "AsyncAPIResource" for base in ancestry) is is_async
    assert any("beta" in base.__module__ for base in ancestry) is beta


@BOTH
@STABLE_AND_BETA
@pytest.mark.parametrize("name", ["create", "stream"])
def test_its_methods_are_plain(is_async: bool, beta: bool, name: str) -> None:
    """They are methods over plain functions, which are defined in `anthropic`, and in a class of the ancestry.

    Used by: `_request.is_watched`, `_request.own_function`.
    """
    messages = messages_of(CLIENTS[is_async](api_key="key"), beta=beta)
    method = getattr(messages, name)
    assert type(method) is types.MethodType
    assert type(method.__func__) is types.FunctionType
    assert method.__func__.__globals__["__name__"].startswith("anthropic.")
    assert vars(type(messages))[name] is method.__func__


@BOTH
@STABLE_AND_BETA
def test_what_stream_takes(is_async: bool, beta: bool) -> None:
    """It takes what `create` takes but `stream`, and an `output_format`.

    Used by: `_open.open_stream`, `_wrap._stream_of`.
    """
    messages = messages_of(CLIENTS[is_async](api_key="key"), beta=beta)
    create, stream = ({*inspect.signature(getattr(messages, name)).parameters} for name in ("create", "stream"))
    assert stream - create <= {"output_format"}
    assert "output_format" in stream
    assert "stream" in create - stream


@BOTH
def test_how_a_client_is_copied(is_async: bool) -> None:
    """`copy` and `with_options` share the HTTP client; views such as `with_raw_response` are cached properties.

    Used by: `_wrap.wrap_client`, `_wrap._is_cached`.
    """
    client: Any = CLIENTS[is_async](api_key="key")
    for copied in (client.copy(timeout=3), client.with_options(timeout=3)):
        assert (type(copied), copied.timeout, copied._client) == (type(client), 3, client._client)
    found = inspect.getattr_static(type(client.messages), "with_raw_response")
    assert isinstance(found, functools.cached_property)


@BOTH
def test_where_middleware_is_kept(is_async: bool) -> None:
    """SDKs with middleware keep the chain as `_middleware_chain`, and make it by `_build_middleware_chain()`.

    Used by: `_wrap._copied`.
    """
    client: Any = CLIENTS[is_async](api_key="key")
    assert hasattr(client, "with_middleware") <= hasattr(client, "_build_middleware_chain")
    assert hasattr(client, "_build_middleware_chain") is hasattr(client, "_middleware_chain")


def test_bedrock_has_no_beta_stream_at_first() -> None:
    """Bedrock's `beta.messages` has a `stream` since 0.122.

    Used by: `_wrap._wrapped`.
    """
    pytest.importorskip("botocore")
    client: Any = anthropic.AnthropicBedrock(aws_access_key="a", aws_secret_key="b", aws_region="c")
    assert hasattr(client.beta.messages, "stream") is (SDK >= (0, 122))


def test_where_a_warning_points() -> None:
    """A deprecated model is warned of with the line two frames above the method's own: the caller of `create`.

    Used by: `_request.Caller`.
    """
    resources = inspect.getmodule(type(anthropic.Anthropic(api_key="key").messages))
    assert resources is not None
    model = next(iter(resources.DEPRECATED_MODELS))
    client = API(body_of(HELLO)).client()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        client.messages.create(**{**REQUEST, "model": model}, stream=True)
    assert [each.filename for each in caught] == [__file__]


def test_what_stands_for_nothing() -> None:
    """`Omit` and `NotGiven` are classes of what was left out.

    Used by: `_request.with_format`.
    """
    assert isinstance(anthropic.omit, anthropic.Omit)
    assert isinstance(anthropic.not_given, anthropic.NotGiven)
