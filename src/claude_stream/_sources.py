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
    BetaSource: TypeAlias = Iterable[BetaEvent]
    _AsyncEvents: TypeAlias = AsyncIterable[Event] | AsyncStream[object]
    _AsyncBetaEvents: TypeAlias = AsyncIterable[BetaEvent]
    AsyncSource: TypeAlias = _AsyncEvents | Awaitable[_AsyncEvents]
    AsyncBetaSource: TypeAlias = _AsyncBetaEvents | Awaitable[_AsyncBetaEvents]
else:
    Source = BetaSource = Iterable[object]
    AsyncSource = AsyncBetaSource = AsyncIterable[object] | Awaitable[AsyncIterable[object]]

AnySource: TypeAlias = Source | BetaSource
AnyAsyncSource: TypeAlias = AsyncSource | AsyncBetaSource
