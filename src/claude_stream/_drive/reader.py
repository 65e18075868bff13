"""What both readers share: what becomes of an end, of a failure and of a close, each rule once.

The law: a reader is one of four things: fresh, reading, finished or failed. Only a finished one ends its
iteration; a failed one raises its error at every further read. Closing one whose message is not complete, and
leaving one in the middle by Ctrl-C, are failures. The two drivers ask here, and differ in how they wait.
"""

# A reader and the stage on top of it know each other: what they share is nobody else's business.
# pyright: reportPrivateUsage=false

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, Generic

from anthropic.types import Message
from typing_extensions import TypeVar

from .._errors import StreamConnectionError, StreamError, StreamTruncatedError
from .._step import AnyStep, beginnings, leftovers, salvaged
from .._steps.accumulator import HoldsMessage
from .._steps.builder import MessageBuilder
from .._wire.events import to_event
from .connection import Connection
from .source import Source, spent
from .timeouts import Limits

T = TypeVar("T")
MessageT = TypeVar("MessageT", default=Message)


class BaseReader(HoldsMessage[MessageT], Generic[T, MessageT]):
    """The state of one reading, and the rules for its end. No I/O.

    Args:
        source: where the items come from.
        steps: what each item goes through.
        builder: holds the message of the stream; among the steps, unless the source is a reader that feeds it.
        as_events: the results are wire dicts, to be handed out as the SDK's objects.
        separator: what `text` puts between two blocks.
    """

    def __init__(
        self,
        source: Source,
        steps: Sequence[AnyStep],
        builder: MessageBuilder,
        *,
        as_events: bool = False,
        separator: str = "",
    ) -> None:
        self._source = source
        self._steps = steps
        self._builder = builder
        self._as_events = as_events
        self._separator = separator
        self._begun = False
        self._closed = False  # nothing more comes
        self._stopped = False  # because somebody said so
        self._finished = False
        self._error: Exception | None = None

    @property
    def text(self) -> str:
        """The text so far: what `iter_text` gave, joined, and what it holds back where ``by=`` makes it wait.

        Blocks stand in the order of the message, also where the API should ever send two at the same time.
        """
        return self._builder.text(self._separator)

    @property
    def request_id(self) -> str | None:
        """The ID to quote to Anthropic's support, or None where there is no response."""
        return self._builder.header("request-id")

    def _begin(self) -> Iterator[Any]:
        """Begin to read. From here on the source is ours, and known, which an awaitable one was not before."""
        self._begun = True
        self._source.adopt(self._builder)
        decoder = self._source.decoder()
        if decoder is not None:
            self._steps = [decoder, *self._steps]
        return beginnings(self._steps)

    def _finish(self) -> Iterator[Any]:
        """Yield what comes when the source has ended, or raise because it should not have."""
        self._source.ended(self._builder.guard.events)
        yield from leftovers(self._steps)
        self._finished = True

    def _source_failed(self, exc: Exception) -> Exception | None:
        """Return the error to raise for what the source raised, or None if it is no worse than an end."""
        guard = self._builder.guard
        error = self._closed_error() if self._closed else self._source.translate(exc, guard.events)
        if guard.complete and isinstance(error, StreamConnectionError):
            return None  # the message is whole, whatever the transport does behind it
        return self._failed(error, exc)

    def _failed(self, error: Exception, exc: Exception) -> Exception:
        """Return the error to raise, now and at every further read. ``exc`` is what it was made of."""
        error = self._builder.fail(error)
        for step in self._steps:
            error = step.fail(error)
        if error is not exc and error.__cause__ is None:
            error.__cause__ = exc
        self._error = error
        return error

    def _rest(self) -> Iterator[Any]:
        """Yield what goes out in front of the error of a stream that has failed: what its steps hold back.

        Behind a close nothing goes out, no matter who closed what: the stop button stops. The message has it all.
        """
        silent = self._error is None or self._stopped or self._source.stopped()
        return iter(()) if silent else salvaged(self._steps)

    def _ending(self) -> Exception | None:
        """Return what a read raises when there is nothing more to come, or None if the stream ended well.

        This is the one place that lets an iteration end.
        """
        if self._error is None and not self._finished:
            if not self._closed:
                # Ctrl-C ended the reading, not the stream. What came must not pass for all.
                self._error = self._builder.fail(StreamTruncatedError("the reading was interrupted"))
            elif not self._builder.guard.complete:
                self._error = self._builder.fail(self._closed_error())
        return self._error

    @staticmethod
    def _closed_error() -> StreamConnectionError:
        error = StreamConnectionError("the stream was closed before its message was complete")
        error.retryable = False  # somebody pressed the stop button
        return error

    def _present(self, item: Any) -> T:
        """Return the object to hand out for a result that is an event."""
        event: Any = to_event(item, beta=self._builder.beta)
        presented: T = event
        return presented

    # A reader over this one takes what one of these gives, after the colour.

    def _pulls(self) -> Iterator[Any]:
        raise NotImplementedError

    async def _pull(self) -> Any:
        raise NotImplementedError

    def close(self) -> None:
        """Stop a sync reader; see `Reader.close`."""
        raise TypeError("this reader is async: write `await reader.aclose()`")

    async def aclose(self) -> None:
        """Stop an async reader; see `AsyncReader.aclose`."""
        raise TypeError("this reader is sync: write `reader.close()`")

    def __repr__(self) -> str:
        if isinstance(self._error, StreamError):
            return f"<{type(self).__name__}: {type(self._error).__name__}; {self._builder.summary()}>"
        return super().__repr__()


class Stage(Source):
    """One of our readers, whose wire dicts a further reader takes.

    Args:
        inner: the reader, which feeds the builder that both share.
    """

    waits = False

    def __init__(self, inner: BaseReader[Any, Any]) -> None:
        super().__init__(inner, is_async=inner._source.is_async)
        self.inner = inner
        self.builder = inner._builder

    @property
    def gives_events(self) -> bool:
        """Whether the results of the reader are events."""
        return self.inner._as_events

    def stopped(self) -> bool:
        """Whether somebody has closed the reader, or one below it."""
        return self.inner._stopped or self.inner._source.stopped()

    @property
    def frames(self) -> str:
        """What a relay calls the frames of its results, or "" if they are events, or cannot be relayed."""
        return next((step.frames for step in reversed(self.inner._steps) if step.frames), "")

    def limit(self, limits: Limits) -> None:
        """Let the innermost source keep them: it alone knows what it waits for.

        Raises:
            TypeError: if its reader has begun to read already.
        """
        if self.inner._begun:
            raise TypeError("a time limit has to be set before the first read: set it where the stream is opened")
        self.inner._source.limit(limits)

    def adopt(self, builder: MessageBuilder) -> None:
        """Refuse a reader that ended well: it has nothing left. One that failed or was closed gives its error again."""
        inner = self.inner
        if inner._finished or (inner._closed and inner._error is None and builder.guard.complete):
            raise spent(inner)

    def iterate(self) -> Iterator[Any]:
        """Return the rest of the inner reader's wire dicts."""
        return self.inner._pulls()

    def aiterate(self) -> Callable[[], Awaitable[Any]]:
        """Return what gives the next of them."""
        return self.inner._pull

    def close(self) -> None:
        """Close the reader, and what it reads."""
        self.inner.close()

    async def aclose(self) -> None:
        """Do the same for an async reader."""
        await self.inner.aclose()

    def ends_here(self) -> bool:
        """Read on: the inner reader knows when to stop."""
        return False

    def translate(self, exc: Exception, events: int) -> Exception:
        """Return it as it is: the inner reader has seen to it."""
        del events
        return exc

    def connection(self) -> Connection | None:
        """Return what the innermost source has."""
        return self.inner._source.connection()

    def interrupt(self) -> None:
        """Leave it to the inner reader, which knows whether it is being read as well."""
        self.close()

    def release(self) -> None:
        """Close what the innermost source has to close."""
        self.inner._source.release()

    async def arelease(self) -> None:
        """Do the same for an async source."""
        await self.inner._source.arelease()


class View(Stage):
    """A reader that others read as well: what one of them fails in is not the end of it."""

    def adopt(self, builder: MessageBuilder) -> None:
        """Take what is left, which may be nothing."""

    def release(self) -> None:
        """Close nothing."""

    async def arelease(self) -> None:
        """Close nothing."""
