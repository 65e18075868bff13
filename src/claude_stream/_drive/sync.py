"""The sync driver: the only code that iterates a sync source.

The law: a driver knows iteration and nothing of events. It sends what its source gives through its steps and
hands out the results one at a time, so that an error never overtakes what was received ahead of it. Its inner
loop is a generator, because Python's own refusal to enter one twice is a lock that costs nothing; what becomes of
an end or a failure is `reader`'s to say. Who opened the stream closes it: reading closes nothing but a live
response that has ended or failed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import chain
from typing import Any

from typing_extensions import Self

from .._step import flow
from .reader import BaseReader, MessageT, T
from .timeouts import Patience, watched


class Reader(BaseReader[T, MessageT], Iterator[T]):
    """An iterator over what a stream gives, which knows the message so far; what every function here returns.

    It can stand in a ``with`` block, whose end closes the stream. Reading on after an error raises that error
    again; reading on after a close raises a `StreamConnectionError`, unless the message was complete: only a
    stream that ended well looks finished. One thread may read it, and a second one gets a RuntimeError. `close`
    may be called from any thread, and ends a read that is blocked on a socket of its own; everything else is for
    the thread that reads.

    Not related to `typing_extensions.Reader`.

    Example:
        >>> from claude_stream import iter_text
        >>> with iter_text(events) as reader:
        ...     for chunk in reader:
        ...         print(chunk, end="|")
        Hello, |world!|
        >>> reader.usage.output_tokens, reader.result().stop_reason
        (12, 'end_turn')
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._results: Any = self._read()

    def __next__(self) -> T:
        try:
            return self._present(next(self._results)) if self._as_events else next(self._results)
        except StopIteration:
            error = self._over()
        except Exception as exc:
            error = self._raised(exc)
        raise StopIteration if error is None else error

    def _raised(self, exc: Exception) -> Exception:
        """Return what to raise for an exception that came out of our generator, or of presenting its result."""
        if exc is self._error:
            return exc
        if isinstance(exc, ValueError) and str(exc) == "generator already executing":
            return RuntimeError("this stream is being read already: one reader at a time")
        return self._step_failed(exc)

    def _pulls(self) -> Iterator[Any]:
        """Return what is left, below what is presented; at its end, it raises what a read raises then."""
        return chain(self._results, self._end())  # by a chain, because leaving it must not end our generator

    def _end(self) -> Iterator[Any]:
        if (error := self._over()) is not None:
            raise error
        yield from ()

    def _over(self) -> Exception | None:
        """Return what a read raises when there is nothing more to come, or None."""
        known, error = self._error, self._ending()
        if error is not known:
            self._source.release()  # Ctrl-C has left it open
        return error

    def _read(self) -> Iterator[Any]:
        """Yield the results, and see to it that they end as they should. Only one thread gets in here."""
        if self._closed:
            return
        source = self._source
        try:
            begun = self._begin()
            connection, items = source.connection(), source.iterate()
        except Exception as exc:
            raise self._failed(exc, exc)
        if source.limits is not None:
            patience = Patience(source.limits, self._builder.guard)
            source.tell_of_bytes(patience)
            items = watched(items, patience, connection)
        received = self._receive(items) if source.ends_here() else items
        try:
            for results in (begun, flow(self._steps, received), self._finish()):
                for out in results:
                    yield out
                    if self._closed:
                        break
                if self._closed:
                    source.close()  # which who closed us could not do, if we were in a read
                    return
        except Exception as exc:
            error = self._raised(exc)
            yield from self._rest()
            raise error
        source.settle(items)

    def _receive(self, items: Iterator[Any]) -> Iterator[Any]:
        """Yield the source's own items until the message is complete."""
        guard = self._builder.guard
        try:
            for item in items:
                yield item
                if guard.stopped or self._closed:
                    return
        except Exception as exc:
            self._source.release()
            if (error := self._source_failed(exc)) is not None:
                raise error

    def _step_failed(self, exc: Exception) -> Exception:
        """Return what to raise for an exception of a step, or of a reader below; nothing more comes of this one."""
        self._closed = True
        self._source.release()
        return self._failed(exc, exc)

    def result(self) -> MessageT:
        """Read to the end and return the message.

        Raises:
            ToolInputError: if the input of a tool call is malformed.
            StreamError: when the stream turns out broken, or was closed before its message was complete.
        """
        self.read()
        message: MessageT = self._builder.result()
        return message

    def read(self) -> None:
        """Read to the end, and keep nothing but what the message is made of.

        Raises:
            StreamError: when the stream turns out broken, or was closed before its message was complete.
        """
        deque(self._pulls(), maxlen=0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop: close the source, where it can be closed. What was received stays readable.

        A reader in another thread gets a `StreamConnectionError` that asks for no retry, unless the message was
        complete. A read that waits for a socket of its own ends at once, over TLS as well. Where there is no such
        socket (HTTP/2, a generator of yours), it ends with the next item or the client's read timeout.
        """
        self._closed = self._stopped = True
        if self._results.gi_running:
            self._source.interrupt()  # and the reader closes the source, when it comes back from its read
        else:
            self._source.close()
