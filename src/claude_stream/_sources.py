"""What may be passed as a source, for annotations: of this library's functions, and of yours.

The law: nothing here does anything. Stable and beta events are disjoint, so no overload depends on standing before
another; and what can be iterated but gives no events (a str, a Message, the chunks of `iter_text`) is refused by a
type checker.

Example:
    >>> from claude_stream import Source, iter_text
    >>> def shout(source: Source) -> str:
    ...     return "".join(iter_text(source)).upper()
    >>> shout(events)
    'HELLO, WORLD!'
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Awaitable, Iterable
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:  # which alone can subscript the SDK's Parsed... aliases
    from collections.abc import Mapping
    from typing import Any

    from anthropic import AsyncStream, Stream
    from anthropic.lib.streaming import ParsedBetaMessageStreamEvent, ParsedMessageStreamEvent
    from anthropic.types import RawMessageStreamEvent
    from anthropic.types.beta import BetaRawMessageStreamEvent

    from ._wire.events import UnknownEvent

    Event: TypeAlias = RawMessageStreamEvent | ParsedMessageStreamEvent[Any] | UnknownEvent | Mapping[str, object]
    BetaEvent: TypeAlias = BetaRawMessageStreamEvent | ParsedBetaMessageStreamEvent[Any]

    Source: TypeAlias = Iterable[Event] | Stream[object]  # the SDK's way to give dicts
    """The SDK's ``Stream`` or ``MessageStream``, or any other iterable of events or of their JSON as dicts."""

    BetaSource: TypeAlias = Iterable[BetaEvent]
    """The same with the events of ``client.beta.messages``."""

    _AsyncEvents: TypeAlias = AsyncIterable[Event] | AsyncStream[object]
    _AsyncBetaEvents: TypeAlias = AsyncIterable[BetaEvent]

    AsyncSource: TypeAlias = _AsyncEvents | Awaitable[_AsyncEvents]
    """A request of an async client, awaited or not, or any other async iterable of events, or an awaitable of one."""

    AsyncBetaSource: TypeAlias = _AsyncBetaEvents | Awaitable[_AsyncBetaEvents]
    """The same with the events of ``client.beta.messages``."""
else:
    Source = BetaSource = Iterable[object]
    AsyncSource = AsyncBetaSource = AsyncIterable[object] | Awaitable[AsyncIterable[object]]

AnySource: TypeAlias = Source | BetaSource
"""Either of the two for a ``for``."""

AnyAsyncSource: TypeAlias = AsyncSource | AsyncBetaSource
"""Either of the two for an ``async for``."""
