"""What may be read, in which colour, and what is refused with an error that names the mistake and the fix.

The law: nothing here reads. The SDK's own classes are told apart first, because proxies around them, as most
instrumentation packages return them, can be iterated both ways and awaited besides.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import AsyncIterable, Awaitable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import anthropic
from anthropic.lib.streaming import (
    AsyncMessageStream,
    AsyncMessageStreamManager,
    BetaAsyncMessageStream,
    BetaAsyncMessageStreamManager,
    BetaMessageStream,
    BetaMessageStreamManager,
    MessageStream,
    MessageStreamManager,
)

Kind: TypeAlias = Literal["sync", "async", "awaitable"]

_SYNC = (MessageStream, BetaMessageStream, anthropic.Stream)
_ASYNC = (AsyncMessageStream, BetaAsyncMessageStream, anthropic.AsyncStream)
_MANAGERS = (
    MessageStreamManager,
    AsyncMessageStreamManager,
    BetaMessageStreamManager,
    BetaAsyncMessageStreamManager,
)


def is_sdk_stream(given: object) -> bool:
    """Whether this is one of the SDK's streams, or a proxy around one that leads to the response."""
    return _is_one_of(given, (*_SYNC, *_ASYNC)) and hasattr(given, "response")


def _is_one_of(given: object, classes: tuple[type, ...]) -> bool:
    """Do what `isinstance` does with SDKs since 1.0.

    That of earlier ones says no of a proxy around a `Stream`, and of the helper's stream it says yes, and warns.
    """
    cls: Any = given.__class__  # a double may say that it is anything
    return isinstance(cls, type) and issubclass(cls, classes)


def kind_of(given: object) -> Kind:
    """Return how a source is to be read.

    Raises:
        TypeError: if it cannot be, or is no stream of events.
    """
    if _is_one_of(given, _SYNC):
        return "sync"
    if _is_one_of(given, _ASYNC):
        return "async"
    _refuse(given)
    if isinstance(given, Awaitable):  # before Iterable, because an asyncio.Task is one, too
        return "awaitable"
    if isinstance(given, Iterable):  # what is both is sync, as the overloads have it; aiter() of it is async
        return "sync"
    if isinstance(given, AsyncIterable):
        return "async"
    raise _unknown(given)


def _unknown(given: object) -> TypeError:
    hint = ""
    if hasattr(given, "parse"):
        hint = ": pass what its parse() gives"
    elif hasattr(given, "__enter__") or hasattr(given, "__aenter__"):
        hint = (
            ", which is not entered yet: write `with ... as stream:` (`async with` on an async client), pass `stream`"
        )
    elif callable(given):
        hint = ", which has to be called: pass what it gives"
    return TypeError(f"a stream of events was expected, and this is {name_of(given)}{hint}: {given!r:.200}")


def _refuse(given: object) -> None:
    """Raise a TypeError for what can be iterated, or nearly so, and yet is no stream of events."""
    name = name_of(given)
    if isinstance(given, _MANAGERS):
        raise TypeError(
            f"{name} is not entered yet: write `with client.messages.stream(...) as stream:` "
            "(`async with` on an async client) and pass `stream`"
        )
    if isinstance(given, anthropic.BaseModel):
        if getattr(given, "type", None) == "message":
            raise TypeError(f"this is a finished {name}, not a stream: call create() with stream=True")
        raise TypeError(f"a stream of events was expected, and this is a single {name}: put the events in a list")
    if isinstance(given, (str, bytes, bytearray)):
        raise TypeError(
            f"a stream was expected, and this is {name}: text is text already, a body goes through "
            "from_sse([body]), and what came from create() needs stream=True there"
        )
    if isinstance(given, Mapping):
        raise TypeError("a stream of events was expected, and this is a single dict: put the events in a list")
    if inspect.iscoroutinefunction(given) or inspect.ismethod(given):
        raise TypeError(
            f"{name} has to be called: pass what it gives, as with create(..., stream=True) or iter_bytes()"
        )


def name_of(given: object) -> str:
    """Return what to call this in a message."""
    if isinstance(given, types.MethodType):
        return f"the method {given.__name__}()"
    return type(given).__name__


class AsyncOnly:
    """What async readers, streams and managers answer to the syntax of sync ones."""

    if not TYPE_CHECKING:  # type checkers know better than to take them for iterables

        def __iter__(self) -> Iterator[object]:
            raise TypeError(f"{name_of(self)} is async: write `async for`")

        def __enter__(self) -> object:
            raise TypeError(f"{name_of(self)} is async: write `async with`")

        def __exit__(self, *exc_info: object) -> None:
            """Be there, because Python looks for it before it enters."""
