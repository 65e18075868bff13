"""The async driver: the only code that iterates an async source, on asyncio or trio.

The law: the same as in `sync`, where the rules have their names; only the waiting is another, and `waits` says how it
ends early. Readers are classes and not generators: an abandoned async generator makes trio complain.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import AsyncIterator, Coroutine, Iterator, Sequence
from typing import Any

import anyio
from typing_extensions import Self

from .._step import AnyStep, flow
from .misuse import AsyncOnly
from .reader import BaseReader, MessageT, T
from .timeouts import Patience
from .waits import AsyncioWaits, InterruptedWaitError, TrioWaits, Wait, waits_for

_NOTHING: Any = object()
_TUPLE: Any = tuple


def _send(steps: Sequence[AnyStep], item: Any) -> Iterator[Any]:
    """Send one item through steps. As long as one comes of one, which is nearly always, no iterators are set up."""
    outs: Any = (item,)
    for position, step in enumerate(steps):
        if type(outs) is not _TUPLE or len(outs) != 1:
            return flow(steps[position:], outs)
        outs = step.feed(outs[0])
    return iter(outs)


class AsyncReader(AsyncOnly, BaseReader[T, MessageT], AsyncIterator[T]):
    """The same as `Reader`, for an async source, on asyncio or trio.

    One task may read it, and a second one gets a RuntimeError. `aclose` may be called from any task of the same
    event loop, and ends a read that is blocked, whatever it waits for. Not safe to use from several threads.

    Example:
        >>> import asyncio
        >>> from claude_stream import iter_text
        >>> async def main():
        ...     request = async_client.messages.create(
        ...         model="claude-sonnet-5-5", max_tokens=1024, messages=[], stream=True
        ...     )
        ...     async with iter_text(request) as reader:
        ...         text = "".join([chunk async for chunk in reader])
        ...     return text, reader.usage.output_tokens
        >>> asyncio.run(main())
        ('Hello, world!', 12)
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._results: Iterator[Any] = iter(())
        self._next: Wait | None = None  # known when the reading has begun
        self._source_ended = False
        self._reading = False
        self._waits: AsyncioWaits | TrioWaits | None = None  # of a source that waits by itself
        self._left: anyio.Event | None = None  # set when the read that a close interrupts is over

    def __anext__(self) -> Coroutine[Any, Any, T]:
        return self._presented() if self._as_events else self._pull()

    async def _presented(self) -> T:
        item = await self._pull()
        try:
            return self._present(item)
        except Exception as exc:
            raise await self._step_failed(exc)

    async def _pull(self) -> Any:
        """Return the next result, below what is presented."""
        if self._reading:
            raise RuntimeError("this stream is being read already: one reader at a time")
        self._reading = True
        try:
            if self._next is None and self._closed:
                raise self._ending() or StopAsyncIteration
            wait = self._next or await self._open()
            item = _NOTHING
            while True:
                try:
                    if item is not _NOTHING:
                        self._results = _send(self._steps, item)
                    for out in self._results:
                        return out
                except Exception as exc:
                    await self._step_failed(exc)
                    self._results = self._rest()
                    item = _NOTHING
                    continue
                if self._closed or self._source_ended:
                    break
                item = _NOTHING
                if self._builder.guard.stopped and self._source.ends_here():
                    self._end_source()
                    continue
                try:
                    item = await wait()
                except StopAsyncIteration:
                    self._end_source()
                except Exception as exc:
                    await self._source.arelease()
                    if self._source_failed(exc) is None:
                        self._end_source()
                    else:
                        self._closed = True
                        self._results = self._rest()
            return await self._over(wait)
        finally:
            self._reading = False
            if self._left is not None:
                self._left.set()

    async def _over(self, wait: Wait) -> Any:
        """Raise what a read raises when there is nothing more to come."""
        if (error := self._ending()) is not None:
            raise error
        if not self._closed:
            self._closed = True
            await self._source.asettle(wait)
        raise StopAsyncIteration

    def _end_source(self) -> None:
        if not self._closed:
            self._source_ended = True
            self._results = self._finish()

    async def _step_failed(self, exc: Exception) -> Exception:
        """Return what to raise for an exception of a step; nothing more comes of this reader."""
        self._closed = True
        self._results = iter(())
        await self._source.arelease()
        return self._failed(exc, exc)

    # -- waiting --

    async def _open(self) -> Wait:
        """Open the source and return what is awaited for each item."""
        source = self._source
        try:
            if source.waits:
                self._waits = waits_for(None)  # no limit holds before the response has begun
                source = self._source = await self._waits.until(source.opened)
            self._results = self._begin()
        except Exception as exc:
            error = self._closed_error() if isinstance(exc, InterruptedWaitError) else exc
            self._closed = True
            raise self._failed(error, exc)
        except BaseException:
            self._closed = True  # a request that was cancelled cannot be awaited again
            raise
        wait = source.aiterate()
        if source.waits:
            patience = None if source.limits is None else Patience(source.limits, self._builder.guard)
            if patience is not None:
                source.tell_of_bytes(patience)
            self._waits = waits_for(patience)
            wait = functools.partial(self._waits.until, wait)
        self._next = wait
        return wait

    async def result(self) -> MessageT:
        """Read to the end and return the message.

        Raises:
            ToolInputError: if the input of a tool call is malformed.
            StreamError: when the stream turns out broken, or was closed before its message was complete.
        """
        await self.read()
        message: MessageT = self._builder.result()
        return message

    async def read(self) -> None:
        """Read to the end, and keep nothing but what the message is made of.

        Raises:
            StreamError: when the stream turns out broken, or was closed before its message was complete.
        """
        with contextlib.suppress(StopAsyncIteration):
            while True:
                await self._pull()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Stop: close the source, where it can be closed. What was received stays readable.

        A task that is reading meanwhile gets a `StreamConnectionError` that asks for no retry, at once, unless the
        message was complete.
        """
        self._closed = self._stopped = True
        self._results = iter(())
        if self._waits is not None and self._waits.interrupt():
            self._left = self._left or anyio.Event()
            await self._left.wait()  # only then can a generator be closed
        await self._source.aclose()
