"""The one place where sources, steps and readers are put together.

The law: all that a stream needs is made here, from its source and one frozen set of options, and nothing is
changed from outside afterwards. A pipeline over a source begins with the source's decoder and the builder, so that
every error carries the message so far; one over a reader of ours shares the builder of that reader.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias, TypeGuard

from .._json import Wire
from .._step import AnyStep, Step
from .._steps.builder import MessageBuilder
from .aio import AsyncReader
from .live import SDKStream
from .misuse import is_sdk_stream, kind_of
from .reader import Stage
from .restarts import Restarting, Restarts
from .source import Awaited, Chunks, Source
from .sync import Reader
from .timeouts import Limits

AnyReader: TypeAlias = Reader[Any, Any] | AsyncReader[Any, Any]
MakeSteps: TypeAlias = Callable[[MessageBuilder], Sequence[AnyStep]]


@dataclasses.dataclass(frozen=True)
class Options:
    """What is asked of one stream.

    Args:
        beta: build the SDK's beta objects.
        parsed: build the SDK's Parsed* classes.
        strict: raise if the stream ends before its message does.
        events: the results are events, handed out as the SDK's objects, and open to further stages.
        decoder: the source gives the chunks of a body, and this makes the step that finds the events in them.
        separator: what goes between the texts of two blocks.
        limits: how long the stream may keep us waiting, or each of its attempts.
    """

    beta: bool = False
    parsed: bool = False
    strict: bool = True
    events: bool = False
    decoder: Callable[[], AnyStep] | None = None
    separator: str = ""
    limits: Limits | None = None

    def builder(self) -> MessageBuilder:
        """Return a new builder for a stream with these options."""
        return MessageBuilder(beta=self.beta, parsed=self.parsed, strict=self.strict, sourced=self.events)


def no_steps(_: MessageBuilder) -> Sequence[AnyStep]:
    """Return the steps of a pipeline that has none of its own."""
    return ()


def drive(
    given: Any,
    make_steps: MakeSteps = no_steps,
    options: Options = Options(),
    *,
    builder: MessageBuilder | None = None,
) -> AnyReader:
    """Return the reader of a source.

    Args:
        given: what the user passed in.
        make_steps: gives the steps behind the builder, in which they may look things up.
        options: what is asked of the stream.
        builder: the one to use, if it is not to be a new one, nor that of a reader of ours.

    Raises:
        TypeError: if this is no stream of events.
    """
    given = getattr(given, "_reader", given)  # a stream of ours is read by its one cursor
    if is_reader(given):
        stage = _stage_on(given, options)
        return over(stage, make_steps, options) if builder is None else _fed(stage, builder, options)
    source = given if isinstance(given, Source) else source_of(given, options.decoder)
    builder = builder or options.builder()
    builder.response = source.response
    return _reader(source, [builder, *make_steps(builder)], builder, options)


def is_reader(given: object) -> TypeGuard[AnyReader]:
    """Return whether this is a reader of ours."""
    return isinstance(given, (Reader, AsyncReader))


def _stage_on(inner: AnyReader, options: Options) -> Stage:
    stage = Stage(inner)
    if not stage.gives_events or options.decoder:
        raise TypeError("what this iterator gives cannot be read here: pass what it was made from, or use tap()")
    stage.builder.amend(beta=options.beta, parsed=options.parsed, strict=options.strict)
    return stage


def over(source: Stage, make_steps: MakeSteps, options: Options) -> AnyReader:
    """Return a reader over one of ours, or over several in turn."""
    builder = source.builder
    return _reader(source, make_steps(builder), builder, options)


class _Response(Step[Wire, Wire]):
    """Lets a builder know the response of a reader that feeds it, which that may get with its first event only."""

    def __init__(self, reads: MessageBuilder, builder: MessageBuilder) -> None:
        self._reads = reads
        self._builder = builder

    def feed(self, item: Wire) -> Iterable[Wire]:
        self._builder.response = self._reads.response
        return (item,)


def _fed(stage: Stage, builder: MessageBuilder, options: Options) -> AnyReader:
    """Return a reader over one of ours that feeds a builder which is not that reader's own."""
    return _reader(stage, [_Response(stage.builder, builder), builder], builder, options)


def restarting(
    open_: Callable[[], Any],
    restarts: Restarts,
    options: Options,
    make_steps: MakeSteps = no_steps,
    first: Any = None,
) -> AnyReader:
    """Return a reader of a stream that is opened again if it fails before its first content.

    Args:
        open_: gives a source.
        restarts: how often, and when.
        options: what is asked of the stream; its limits hold for each attempt.
        make_steps: gives the steps behind the builder, which see only what is certain not to be taken back.
        first: the source of the first attempt, if it is open already.
    """
    attempt = drive(open_() if first is None else first, options=options)
    builder = Stage(attempt).builder  # which all attempts feed

    def reopen(limits: Limits | None) -> AnyReader:
        return drive(open_(), options=dataclasses.replace(options, limits=limits), builder=builder)

    return over(Restarting(attempt, reopen, restarts), make_steps, options)


def source_of(given: Any, decoder: Callable[[], AnyStep] | None = None) -> Source:
    """Return the source for what the user passed.

    Raises:
        TypeError: if it is no stream.
    """
    kind = kind_of(given)
    if kind == "awaitable":
        return Awaited(given, functools.partial(_opened, decoder=decoder))
    if is_sdk_stream(given):
        return SDKStream(given, is_async=kind == "async")
    is_async = kind == "async"
    return Chunks(given, decoder, is_async=is_async) if decoder else Source(given, is_async=is_async)


def _opened(given: Any, *, decoder: Callable[[], AnyStep] | None) -> Source:
    source = given if isinstance(given, Source) else source_of(given, decoder)
    if not source.is_async:
        raise TypeError("an awaitable has to give an async stream, and this one gave a sync one")
    return source


def _reader(source: Source, steps: Sequence[AnyStep], builder: MessageBuilder, options: Options) -> AnyReader:
    if options.limits is not None:
        source.limit(options.limits)
    make: Any = AsyncReader if source.is_async else Reader
    reader: AnyReader = make(source, steps, builder, as_events=options.events, separator=options.separator)
    return reader
