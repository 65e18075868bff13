"""What a body turns out to be, and when bytes of it come, where the SDK reads it and says nothing of either.

The law: it looks, and changes nothing but an end that came too early. What the SDK gets is what the response gives, and
the look does not tie a stream to itself: one that is dropped is closed as soon as the SDK would have closed it.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

from typing_extensions import Self

from .._errors import StreamProtocolError
from .._json import excerpt
from .._wire.sse import SSEDecoder

_HEAD = 1000  # bytes of a body that tell what it is


class Look:
    """A look at a body that the SDK reads: how it begins, and when bytes come.

    Of a body without an event that it knows, the SDK says nothing, and pings it keeps to itself.
    """

    def __init__(self) -> None:
        self.head = bytearray()
        self.touch: Callable[[], object] | None = None
        self.at_end: Callable[[], object] | None = None  # may raise, so that the SDK and who looks at it learn of it

    def begin(self, response: Any, name: str) -> None:
        """Wait for the SDK to ask for the chunks.

        Args:
            response: the response.
            name: of the method that gives them.
        """
        chunks_of = getattr(response, name, None)
        if chunks_of is None:  # a stand-in
            return

        def looked_at(*args: Any) -> Any:
            delattr(response, name)
            chunks = chunks_of(*args)
            return _AsyncLook(chunks, self) if name == "aiter_bytes" else self.chunks(chunks)

        setattr(response, name, looked_at)

    def see(self, chunk: bytes) -> None:
        """Take note of a chunk."""
        if len(self.head) < _HEAD:
            self.head += chunk
        if self.touch is not None:
            self.touch()

    @property
    def is_over(self) -> bool:
        """Whether there is nothing more to be learnt."""
        return self.touch is None and len(self.head) >= _HEAD

    def chunks(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """Yield the chunks of a sync body."""
        for chunk in chunks:
            self.see(chunk)
            yield chunk
            if self.is_over:
                break
        yield from chunks
        if self.at_end is not None:
            self.at_end()


class _AsyncLook:
    """The chunks of an async body. No generator: one that is dropped would complain on trio."""

    def __init__(self, chunks: AsyncIterator[bytes], look: Look) -> None:
        self._next = chunks.__anext__
        self._look = look

    def __aiter__(self) -> Self:
        return self

    def __anext__(self) -> Awaitable[bytes]:
        return self._next() if self._look.is_over and self._look.at_end is None else self._see()

    async def _see(self) -> bytes:
        try:
            chunk = await self._next()
        except StopAsyncIteration:
            if self._look.at_end is not None:
                self._look.at_end()
            raise
        self._look.see(chunk)
        return chunk


def other_body(response: Any, head: bytearray) -> StreamProtocolError | None:
    """Return the error for a body in which there was no event, if it is another kind of body, or None.

    Args:
        response: the response that it belongs to.
        head: how it begins, if that is known.
    """
    content_type = str(getattr(response, "headers", {}).get("content-type", ""))
    begins = _loaded(response) or bytes(head)
    if content_type and "event-stream" not in content_type and "eventstream" not in content_type:
        shown = f"; it begins: {excerpt(begins)}" if begins else ""
        return StreamProtocolError(f"the response is not an event stream, but {content_type}{shown}")
    if re.search(rb"^data:", begins, re.MULTILINE) and not re.search(rb"^event:", begins, re.MULTILINE):
        return StreamProtocolError(
            "the events have no name, and the SDK leaves such events out: read them by `open_stream`, which does not, "
            f"or let the server send `event:` lines as the API does; the body begins: {excerpt(begins)}"
        )
    decoder = SSEDecoder()
    found = [*decoder.feed(begins), *decoder.finish()]
    return next((item for item in found if isinstance(item, StreamProtocolError)), None)


def is_closed_and_gone(response: Any) -> bool:
    """Whether a response is closed and its body gone, so that nothing more can come from it.

    A response whose body was loaded at once, as test doubles do, is closed as well, and still gives it.
    """
    content = _loaded(response)
    return bool(getattr(response, "is_closed", False)) and (content is None or b"message_start" in content)


def _loaded(response: Any) -> bytes | None:
    try:
        content = response.content
    except Exception:  # the transport's own ResponseNotRead, from httpx or httpx2
        return None
    return content if isinstance(content, bytes) else None
