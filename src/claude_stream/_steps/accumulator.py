"""The message so far, as everything that holds one answers for it; and the public push-mode core.

The law: nothing is worked out here. What readers, streams and accumulators say of their message is what one
`MessageBuilder` says, in the same words.
"""

from __future__ import annotations

from typing import Any, Generic, Literal, overload

from anthropic.types import Message, MessageParam
from anthropic.types.beta import BetaMessage
from typing_extensions import TypeVar

from .._usage import Usage
from .builder import MessageBuilder

MessageT = TypeVar("MessageT", default=Message)


class HoldsMessage(Generic[MessageT]):
    """What readers and accumulators share: everything that they know of the message, and reads nothing."""

    _builder: MessageBuilder

    @property
    def text(self) -> str:
        """The text so far, of all text blocks in the order of the message."""
        return self._builder.text()

    @property
    def message(self) -> MessageT | None:
        """The message as far as it has come, or None before ``message_start``.

        A copy, which costs the length of the message each time.
        """
        message: MessageT | None = self._builder.message
        return message

    @property
    def usage(self) -> Usage:
        """The tokens as far as they are counted; ``final`` once the message is complete."""
        return self._builder.usage

    @property
    def complete(self) -> bool:
        """Whether the message is whole: ``message_stop`` came, or a stop reason with no block open."""
        return self._builder.guard.complete

    def to_param(self, *, prefill: bool = False) -> MessageParam | None:
        """Return the message so far for the history of the next request, or None if nothing is left to send.

        Its tool calls are those that `iter_tool_calls` hands out: answer every one, in a user message behind it.
        Closed blocks and the text of an open one are kept. Left out is what the API answers with a 400: thinking
        that is not whole and signed, or stands at the end; server tool calls without their result, unless one of
        your calls has to be answered first; blank text; and what stands in front of a fallback and belongs to the
        model that was replaced. A turn that was paused goes back as it is, and a refused one not at all.

        Args:
            prefill: the message is to stand last in the request, for the model to continue it; not every model
                takes that. White space at its end and tool calls are left out. Of a refused message it gives
                something only if ``stop_details`` say that it may be continued.
        """
        return self._builder.to_param(prefill=prefill)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self._builder.summary()}>"


class Accumulator(HoldsMessage[MessageT]):
    """Builds the message from its events; the push-mode core of the library.

    Feed it every event, as an SDK object or as a dict, and ask at any time for the message so far.
    Every reader has one of its own: you need this only where you iterate the events yourself.
    Not safe to use from several threads at once.

    Args:
        beta: build `BetaMessage` also from plain dicts. The SDK's beta events do so by themselves.

    Example:
        >>> from claude_stream import Accumulator
        >>> accumulator = Accumulator()
        >>> for event in events:
        ...     accumulator.feed(event)
        >>> accumulator.result().content[0].text
        'Hello, world!'
    """

    @overload
    def __init__(self: Accumulator[BetaMessage], *, beta: Literal[True]) -> None: ...
    @overload
    def __init__(self, *, beta: bool = False) -> None: ...
    def __init__(self, *, beta: bool = False) -> None:
        self._builder = MessageBuilder(beta=beta)

    def feed(self, event: Any, /) -> None:
        """Take one event.

        Args:
            event: an event of the SDK, or its JSON as a dict. Events that the SDK's `MessageStream`
                puts between the API's are ignored, as is everything after ``message_stop``.

        Raises:
            StreamError: what is wrong with the event, or what an ``error`` event said.
        """
        self._builder.feed(event)

    @property
    def open_blocks(self) -> tuple[int, ...]:
        """The indexes of blocks that are not certain to be whole: still open, or tool calls that may be cut."""
        return self._builder.open_blocks

    def result(self) -> MessageT:
        """Return the complete message.

        A tool call that ``max_tokens`` cut keeps the part of its input that came, as in the SDK, and
        is named by `open_blocks`.

        Raises:
            StreamTruncatedError: if the message is not complete.
            ToolInputError: if the input of a tool call is malformed.
        """
        message: MessageT = self._builder.result()
        return message
