"""The two drivers, sync and async: the only code that iterates a source.

The law: a driver knows iteration and nothing of events. It sends what its source gives through its
steps and hands out the results one at a time, so that an error never overtakes what was received
ahead of it. Drivers are classes, not generators: an abandoned one leaves nothing behind. Whoever
opened the stream closes it: a driver opens only what it was given un-awaited; but a live response
that was read to its end, or has failed, is closed, as the SDK's own iteration does.

A driver over a driver takes the inner one's wire dicts, so that stages nest without a second guard.
"""

from __future__ import annotations

import contextlib
import inspect
import threading
import time
import weakref
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Iterable,
    Iterator,
    Sequence,
)
from itertools import chain
from typing import Any, Generic, TypeGuard, TypeVar

import anyio
from typing_extensions import Self

from ._errors import StreamConnectionError, StreamProtocolError, StreamTruncatedError
from ._events import to_event
from ._json import OBJECT
from ._message import Accumulator
from ._patience import Patience, Watchdog
from ._source import (
    is_async,
    is_finished,
    is_live,
    other_content,
    shut_down,
    socket_of,
    spent,
    stream_observer,
    was_read,
)
from ._sse import SSEDecoder
from ._step import Step

T = TypeVar("T")
View = Callable[[Any], Any]

DRAIN_SECONDS = 0.25
"""How long a response may take to end after ``message_stop`` before its connection is given up."""

_END: Any = object()
_TUPLE: Any = tuple
_WITH_USAGE = ("message_start", "content_block_start", "message_delta")  # what a span's usage is put together from
_read: weakref.WeakSet[Any] = weakref.WeakSet()  # the SDK streams that some driver has begun to read


def drive(
    source: Any,
    make_steps: Callable[[Accumulator[Any]], Sequence[Step]] = lambda _: (),
    *,
    decoder: Step | None = None,
    accumulator: Accumulator[Any] | None = None,
    beta: bool = False,
    events: bool = False,
) -> SyncDriver[Any] | AsyncDriver[Any]:
    """Return the driver for a source: every pipeline of the library is put together here.

    Args:
        source: what the user passed in.
        make_steps: gives the steps behind the accumulator, in which they may look things up.
        decoder: what makes events of the source's items, if they are none.
        accumulator: the one to use, if it is not to be a new one.
        beta: build the SDK's beta objects.
        events: the results are events, to be handed out as the SDK's objects and open to further stages.
    """
    driver = AsyncDriver[Any] if is_async(source) else SyncDriver[Any]
    inner = source if _is_driver(source) else None
    steps: Sequence[Step]
    if inner is None:
        if accumulator is None:
            accumulator = Accumulator[Any](beta=beta)
            accumulator.sourced = events  # else nobody gets to see them
        steps = [*([decoder] if decoder else []), accumulator, *make_steps(accumulator)]
    else:
        if inner.view is None or decoder is not None:
            raise TypeError("what this iterator gives cannot be read here: pass what it was made from, or use tap()")
        accumulator = inner.accumulator
        accumulator.beta |= beta
        steps = make_steps(accumulator)
    view: View | None = (lambda wire: to_event(wire, beta=accumulator.beta)) if events else None
    return driver(source, steps, accumulator, view, inner)


def _is_driver(source: object) -> TypeGuard[Driver[Any]]:
    return isinstance(source, Driver)


def flow(steps: Sequence[Step], items: Iterable[Any]) -> Iterator[Any]:
    """Send items through steps, lazily: nothing is fed before what came of the item before it is taken."""
    for step in steps:
        items = chain.from_iterable(map(step.feed, items))
    return iter(items)


def send(steps: Sequence[Step], item: Any) -> Iterator[Any]:
    """The same for one item. As long as one thing comes of one, which is nearly always, no iterators are set up."""
    outs: Any = (item,)
    for position, step in enumerate(steps):
        if type(outs) is not _TUPLE or len(outs) != 1:
            return flow(steps[position:], outs)
        outs = step.feed(outs[0])
    return iter(outs)


def interruption() -> StreamConnectionError:
    """Return the error for a reader whose stream somebody else has closed."""
    error = StreamConnectionError("the stream was closed while it was being read")
    error.retryable = False  # whoever pressed the stop button does not want it back
    return error


class Driver(Generic[T]):
    """What both drivers share: the steps, and what becomes of an end or a failure. No I/O.

    Args:
        source: what to read.
        steps: what to send each item through, the accumulator among them unless there is an inner driver.
        accumulator: the one that holds the message of this stream.
        view: what to do with each result before it is handed to the user.
        inner: the source, if it is a driver whose wire dicts are to be taken.
    """

    def __init__(
        self,
        source: Any,
        steps: Sequence[Step],
        accumulator: Accumulator[Any],
        view: View | None,
        inner: Driver[Any] | None,
    ) -> None:
        self.accumulator = accumulator
        self.view = view
        self._source = source
        self._steps = steps
        self._inner: Any = inner
        self._look_at(source)
        self._ended = False
        self._settled = False
        self._was_closed = False  # the response, before anything was read
        self.patience: Patience | None = None
        self._interrupted = False  # by a close() from elsewhere than where it is read

    def _look_at(self, source: Any) -> None:
        self._live = is_live(source)
        if self._live:
            self.accumulator.response = source.response

    @property
    def root(self) -> Driver[Any]:
        """The innermost driver, which reads the source itself."""
        return self if self._inner is None else self._inner.root

    def _adopt(self) -> None:
        """Refuse a source that was read before."""
        source = self._source
        used = (
            self._inner._ended if self._inner is not None else is_finished(source) or (self._live and source in _read)
        )
        if used:
            raise spent(source)
        if self._live:
            _read.add(source)
            self._was_closed = was_read(source.response)
            observer = stream_observer(self._source.response)
            if observer is not None:
                self._end_span_by_contract(observer)
                self._show_usage_to(observer)

    def _show_usage_to(self, observer: Any) -> None:
        """Let the span of a traced call have the token usage, which the SDK takes from its own objects alone."""
        show, accumulator = observer.item, self.accumulator

        def item(event: Any) -> None:
            if type(event) is OBJECT and event.get("type") in _WITH_USAGE:
                with contextlib.suppress(StreamProtocolError):  # which is for the reader to learn of
                    event = to_event(event, beta=accumulator.beta)
            show(event)

        observer.item = item

    def _end_span_by_contract(self, observer: Any) -> None:
        """Let the span of a traced call end as the message does: the SDK knows less about what is complete."""
        end, accumulator = observer.end, self.accumulator

        def end_by_contract(how: str, error: BaseException | None = None) -> None:
            if accumulator.guard.stopped:
                how, error = "read", None  # a fault behind message_stop changes nothing
            elif accumulator.guard.complete and how == "read":
                how = "closed"  # whole without message_stop: neither an error, nor the end that the SDK waits for
            end(how, error)

        observer.end = end_by_contract

    def _stopped(self) -> bool:
        """Whether the message is complete, so that the source need not be asked for more."""
        return self._inner is None and self.accumulator.guard.stopped

    def _finish(self) -> Iterator[Any]:
        """Yield what comes when the source has ended, or raise because it should not have."""
        self._ended = True
        if self._live and self.accumulator.guard.events == 0:
            if self._was_closed:
                raise spent(self._source)
            if other := other_content(self._source.response):
                raise StreamProtocolError(f"the response is not an event stream: {other}")
        for position, step in enumerate(self._steps, start=1):
            yield from flow(self._steps[position:], step.finish())

    def _failed(self, exc: Exception, *, in_source: bool) -> Exception:
        """Return the exception to raise in the place of ``exc``."""
        self._ended = True
        error = exc
        if in_source and self._inner is not None:  # which has given it the message already
            for step in self._steps:
                error = step.fail(error)
            return error
        if self._interrupted:
            self._interrupted = False
            error = interruption()
        elif in_source:
            guard = self.accumulator.guard
            if self._was_closed and guard.events == 0:
                return spent(self._source)
            if self._live:
                error = guard.fail_in_sdk(exc)
            else:
                error = guard.fail_in_bytes(exc) if isinstance(self._steps[0], SSEDecoder) else guard.fail(exc)
        for step in (self.accumulator, *self._steps):
            error = step.fail(error)
        if error is not exc:
            error.__cause__ = exc
        return error


class SyncDriver(Driver[T], Iterator[T]):
    """An iterator over what the steps give.

    One thread may read it. `close` may be called from any thread, and ends a read that is blocked;
    so does leaving a ``with`` block over it.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._items: Iterator[Any] = iter(())  # known when the reading has begun
        self._results: Any = self._read()
        self._reader_thread = 0
        self._source_failed = False
        self._closed = False

    def __next__(self) -> T:
        item: T = self.pull()
        if self.view is None:
            return item
        try:
            item = self.view(item)
        except Exception as exc:
            self._closed = True
            self._close_live()
            raise self._failed(exc, in_source=False)  # noqa: B904 - it sets the cause itself
        return item

    def pull(self) -> Any:
        """Return the next result, below the view."""
        try:
            return next(self._results)
        except ValueError as exc:
            if str(exc) == "generator already executing":  # which is Python's own lock, and costs nothing
                raise RuntimeError("this stream is being read already: one reader at a time") from None
            raise
        except StopIteration:
            if self._ended:
                raise
            # Ctrl-C ended the reading, not the stream. Whoever goes on must not take what he has for all.
            self._close_live()
            raise self._failed(StreamTruncatedError("the reading was interrupted"), in_source=False) from None

    def pulls(self) -> Iterator[Any]:
        """Iterate what `pull` gives."""
        with contextlib.suppress(StopIteration):
            while True:
                yield self.pull()

    def _read(self) -> Iterator[Any]:
        """Yield the results, and see to it that they end as they should. Only one thread gets in here."""
        if self._closed:
            return
        self._adopt()
        self._reader_thread = threading.get_ident()
        try:
            for results in (flow(self._steps, self._receive()), self._finish()):
                if self._closed:
                    break
                for out in results:
                    yield out
                    if self._closed:
                        break
        except Exception as exc:
            self._close_live()
            raise self._failed(exc, in_source=self._source_failed)  # noqa: B904 - it sets the cause itself
        if self._interrupted:
            raise self._failed(interruption(), in_source=False)
        self._settle()

    def _receive(self) -> Iterator[Any]:
        """Yield the source's items until the message is complete, and note who failed if something fails."""
        guard = self.accumulator.guard
        ends_here = self._inner is None
        try:
            self._items = iter(self._source) if ends_here else self._inner.pulls()
            for item in self._items if self.patience is None else self._wait(self.patience):
                yield item
                if guard.stopped and ends_here:
                    return
        except Exception:
            self._source_failed = True
            raise

    def _wait(self, patience: Patience) -> Iterator[Any]:
        """Yield the source's items as long as none keeps us waiting for too long."""
        sock = socket_of(self._source.response) if self._live else None
        watchdog = None if sock is None else Watchdog(sock)
        try:
            while (item := self._wait_once(patience, watchdog)) is not _END:
                yield item
        finally:
            if watchdog is not None:
                watchdog.stop()

    def _wait_once(self, patience: Patience, watchdog: Watchdog | None) -> Any:
        guard = self.accumulator.guard
        left = patience.left(guard)
        if left is not None and left <= 0:
            raise patience.error(guard)
        start = time.monotonic()
        if watchdog is not None and left is not None:
            watchdog.arm(left)
        try:
            return next(self._items, _END)
        except Exception as exc:
            if watchdog is not None and watchdog.fired:
                patience.waited(time.monotonic() - start)
                raise patience.error(guard) from exc
            raise
        finally:
            if watchdog is not None:
                watchdog.disarm()
            patience.waited(time.monotonic() - start)

    def result(self) -> Any:
        """Read to the end and return the message."""
        with contextlib.suppress(StopIteration):
            while True:
                self.pull()
        return self.accumulator.result()

    def _settle(self) -> None:
        """Read a live response to its end, so that its connection is used again, but not for long."""
        if not self._live or self._settled:
            return
        self._settled = True
        sock = socket_of(self._source.response)
        watchdog = threading.Timer(DRAIN_SECONDS, shut_down, [sock]) if sock is not None else None
        if watchdog is not None:
            watchdog.start()
        # The message is complete: whatever the transport still has to complain about changes nothing.
        with contextlib.suppress(Exception):
            for _ in self._items:
                pass
        if watchdog is not None:
            watchdog.cancel()
        self._close_live()

    def _close_live(self) -> None:
        if self._inner is not None:
            self._inner._close_live()
        elif self._live:
            with contextlib.suppress(Exception):  # a failing close must not hide the failure before it
                self._source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop: close the source, where it can be closed. What was received stays readable.

        A reader in another thread gets a `StreamConnectionError` unless the message was complete.
        """
        elsewhere = self._reader_thread not in (0, threading.get_ident())
        self._interrupted = elsewhere and not self._ended and not self.accumulator.complete
        self._closed = self._ended = self._settled = True
        if self._live and self._results.gi_running and (sock := socket_of(self._source.response)) is not None:
            shut_down(sock)
        close = getattr(self._source, "close", None)
        if close is not None:
            close()


class AsyncDriver(Driver[T], AsyncIterator[T]):
    """An async iterator over what the steps give, on asyncio or trio.

    One task may read it. Leaving an ``async with`` block over it closes it, as `aclose` does.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._outs: Iterator[Any] = iter(())
        self._begun = False
        self._next: Any = None  # known when the source has been opened
        self._opening: anyio.CancelScope | None = None
        self._reading = False

    def __anext__(self) -> Coroutine[Any, Any, T]:
        return self.pull() if self.view is None else self._view_next(self.view)

    async def _view_next(self, view: View) -> T:
        item: T = await self.pull()
        try:
            item = view(item)
        except Exception as exc:
            self._outs = iter(())
            await self._close_live()
            raise self._failed(exc, in_source=False)  # noqa: B904 - it sets the cause itself
        return item

    async def pull(self) -> Any:
        """Return the next result, below the view."""
        if self._reading:
            raise RuntimeError("this stream is being read already: one reader at a time")
        self._reading = True
        try:
            if not self._begun:
                await self._open()
            item = _END
            while True:
                try:
                    if item is not _END:
                        self._outs = send(self._steps, item)
                    for out in self._outs:
                        return out
                except Exception as exc:
                    await self._close_live()
                    raise self._failed(exc, in_source=False)  # noqa: B904 - it sets the cause itself
                item = _END
                if self._ended:
                    await self._settle()
                    raise StopAsyncIteration
                if self._stopped():
                    self._outs = self._finish()
                    continue
                try:
                    item = await (self._next() if self.patience is None else self._wait(self.patience))
                except StopAsyncIteration:
                    self._outs = self._finish()
                except Exception as exc:
                    await self._close_live()
                    raise self._failed(exc, in_source=True)  # noqa: B904 - it sets the cause itself
        finally:
            self._reading = False

    async def _wait(self, patience: Patience) -> Any:
        """Return the source's next item, unless it keeps us waiting for too long."""
        guard = self.accumulator.guard
        left = patience.left(guard)
        if left is not None and left <= 0:
            raise patience.error(guard)
        start = time.monotonic()
        try:
            with anyio.move_on_after(left):
                return await self._next()
        finally:
            patience.waited(time.monotonic() - start)
        raise patience.error(guard)

    async def _open(self) -> None:
        if inspect.isawaitable(self._source):
            await self._await_source(self._source)
        self._adopt()
        self._begun = True
        if self._inner is not None:
            self._next = self._inner.pull
        else:
            # An SDK stream's own __anext__ spares the async generator that its __aiter__ would add.
            source: Any = self._source
            self._next = getattr(source, "__anext__", None) or aiter(source).__anext__

    async def _await_source(self, awaitable: Awaitable[Any]) -> None:
        with anyio.CancelScope() as self._opening:
            self._source = await awaitable
        if self._ended:  # by an aclose() meanwhile, which cancelled the request or came just too late for that
            self._look_at(self._source)
            await self._close_live()
            raise self._failed(interruption(), in_source=False)
        if not is_async(self._source):
            raise TypeError("an awaitable has to give an async stream, and this one gave a sync one")
        self._look_at(self._source)

    async def result(self) -> Any:
        """Read to the end and return the message."""
        with contextlib.suppress(StopAsyncIteration):
            while True:
                await self.pull()
        return self.accumulator.result()

    async def _settle(self) -> None:
        """Read a live response to its end, so that its connection is used again, but not for long."""
        if not self._live or self._settled:
            return
        self._settled = True
        # The message is complete: whatever the transport still has to complain about changes nothing.
        with anyio.move_on_after(DRAIN_SECONDS), contextlib.suppress(Exception):
            while True:
                await self._next()
        await self._close_live()

    async def _close_live(self) -> None:
        if self._inner is not None:
            await self._inner._close_live()
        elif self._live:
            with contextlib.suppress(Exception):  # a failing close must not hide the failure before it
                await self._source.close()
                # The SDK's generators learn of it only by being read once more. Left as they are, they
                # would warn on trio when they are collected.
                while True:
                    await self._next()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Stop: close the source, where it can be closed. What was received stays readable.

        A task that is reading meanwhile gets a `StreamConnectionError`.
        """
        self._interrupted = self._reading
        self._begun = self._ended = self._settled = True
        self._outs = iter(())
        close = getattr(self._source, "aclose", None) or getattr(self._source, "close", None)
        if self._live:
            await self._close_live()
        elif self._opening is not None and self._reading:
            self._opening.cancel()  # the request is on its way: closing a coroutine that is awaited would be wrong
        elif close is not None:
            closing = close()
            if inspect.isawaitable(closing):
                await closing
