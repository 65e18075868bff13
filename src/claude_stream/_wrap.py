"""Clients whose `messages.stream` is ours.

The law: a wrapped client is a copy that stands for itself. Its parts belong to it, so that what is set on it reaches
them; patches that were put on the client are kept; everything but `messages.stream` and `beta.messages.stream` is the
SDK's.
"""

from __future__ import annotations

import copy
import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from . import _request as request
from ._drive.timeouts import Limits
from ._open import Reading, manager_of

ClientT = TypeVar("ClientT")

_OURS = "_claude_stream"
"""The attribute of our functions that has their id. What a patch around one takes over from it tells of another id."""


def wrap_client(
    client: ClientT,
    /,
    *,
    strict: bool = True,
    restarts: int = 0,
    first_timeout: float | None = None,
    idle_timeout: float | None = None,
    silent_timeout: float | None = None,
) -> ClientT:
    """Return a copy of a client whose ``messages.stream`` and ``beta.messages.stream`` are `open_stream`.

    The copy has the same type and shares the HTTP client; the client that was passed in is not changed. What is set
    on the copy later, such as ``api_key``, holds for all that it does. Clients made of it by ``with_options``, ``copy``
    and the like are wrapped as well. Everything else, ``create`` and the tool runner included, is the SDK's, or what
    stood there before, if somebody had patched it. The options are those of `open_stream`.

    A type checker sees the SDK's types: for it, the streams have no ``usage``, ``parts()`` and so on; use `open_stream`
    for them.

    Raises:
        TypeError: if this is no client of the SDK.

    Example:
        >>> from claude_stream import wrap_client
        >>> client = wrap_client(client)
        >>> with client.messages.stream(model="claude-sonnet-5-5", max_tokens=1024, messages=[]) as stream:
        ...     stream.get_final_text()
        'Hello, world!'
    """
    request.refuse_class(client)
    if not hasattr(client, "messages") or not hasattr(client, "with_options"):
        raise TypeError(f"a client of the SDK was expected, and this is {type(client).__name__}")
    _refuse_proxy(client)
    wrapped: ClientT = _wrapped(
        client, Reading(strict, restarts, Limits.of(first_timeout, idle_timeout, silent_timeout))
    )
    return wrapped


def _wrapped(client: Any, reading: Reading) -> Any:
    wrapped = _copied(client)
    for messages in (wrapped.messages, wrapped.beta.messages):
        if hasattr(messages, "stream"):  # Bedrock's beta messages have none in SDKs before 0.122
            messages.stream = _stream_of(messages, reading)
        if hasattr(messages, "tool_runner"):
            messages.tool_runner = _tool_runner_of(messages, wrapped)
    for name in filter(functools.partial(hasattr, client), ("copy", "with_options", "with_middleware")):
        setattr(wrapped, name, _rewrapping(getattr(wrapped, name), reading))
    return wrapped


def _ours(function: Any) -> Any:
    setattr(function, _OURS, id(function))
    return function


def _is_ours(value: object) -> bool:
    return getattr(value, _OURS, None) == id(value)


def _stream_of(messages: Any, reading: Reading) -> Any:
    own = request.own_function(messages, "stream")

    def stream(**params: Any) -> Any:
        caller = request.Caller(1)
        request.check(params, own, "messages.stream")
        # Who patched `stream` on this client has seen the call already, and would see it twice by a patched `create`.
        seen = messages.stream is not stream
        create = request.unwatched(messages.create, messages) if seen else messages.create
        return manager_of(messages, create, params, reading, caller)

    return _ours(_like(stream, messages.stream if own is None else own.__get__(messages)))


def _tool_runner_of(messages: Any, client: Any) -> Any:
    """Return the SDK's own tool runner, over a copy of the client that streams as the SDK does."""

    def tool_runner(*args: Any, **params: Any) -> Any:
        plain = _copied(client)
        return (plain.beta if request.is_beta(messages) else plain).messages.tool_runner(*args, **params)

    return _ours(_like(tool_runner, messages.tool_runner))


def _rewrapping(method: Callable[..., Any], reading: Reading) -> Any:
    def copied(*args: Any, **kwargs: Any) -> Any:
        return _wrapped(method(*args, **kwargs), reading)

    return _ours(_like(copied, method))


def _like(function: Callable[..., Any], method: Callable[..., Any]) -> Any:
    """Return a function that looks like a bound method of the SDK: name, documentation, signature."""
    functools.update_wrapper(function, method)
    vars(function)["__signature__"] = inspect.signature(method)
    return function


def _copied(client: Any) -> Any:
    """Return a copy of a client that owns its parts, without what we have put on it."""
    copied = copy.copy(client)
    for name, value in _attributes(client):
        if _is_ours(value):
            delattr(copied, name)
        elif getattr(value, "_client", None) is client:
            setattr(copied, name, _part_of(copied, value, client))
    # What the middleware calls in the end is a method of the client that was copied.
    build_chain = getattr(copied, "_build_middleware_chain", None)
    if build_chain is not None:
        copied._middleware_chain = build_chain()
    return copied


def _part_of(copied: Any, part: Any, client: Any) -> Any:
    """Return a part of a client for its copy, such as ``messages``, with the patches that somebody put on it."""
    _refuse_proxy(part)
    fresh = type(part)(copied)
    for name, value in _attributes(part):
        if getattr(value, "_client", None) is client:
            setattr(fresh, name, _part_of(copied, value, client))
        elif name not in vars(fresh) and not _is_ours(value) and not _is_cached(part, name):
            setattr(fresh, name, value)
    return fresh


def _refuse_proxy(part: object) -> None:
    """Raise a TypeError for what only stands in front of a client or its part: nobody but its maker can copy it."""
    if type(part) is not part.__class__ or "_client" not in vars(part):
        raise TypeError(
            f"{type(part).__module__}.{type(part).__name__} stands in front of the SDK's own and cannot be copied: "
            "wrap the client first and put that around the wrapped one, or use `open_stream`, which takes it as it is"
        )


def _attributes(owner: object) -> list[tuple[str, Any]]:
    return [*vars(owner).items()]


def _is_cached(owner: object, name: str) -> bool:
    """Whether an attribute is made when it is asked for, such as ``with_raw_response``."""
    return isinstance(inspect.getattr_static(type(owner), name, None), functools.cached_property)
