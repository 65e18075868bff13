"""Targets that are fed events, as dicts and as the SDK's objects: every iterator, and `Accumulator`.

The law: what a stream ends in, its results and its partial are compared with the reference's, and sync with asyncio.
Where the mutator has put in what only the SDK and the parsers can judge, it still ends in a documented exception, the
same in sync and asyncio, and does not look finished unless it is.
"""

from __future__ import annotations

import contextlib
import dataclasses
import random
import re
from collections.abc import Callable
from typing import Any

import anthropic
import jiter
from anthropic._models import construct_type
from anthropic.types import Message, ParsedMessage, RawMessageStreamEvent
from anthropic.types.beta import BetaMessage, BetaRawMessageStreamEvent
from anthropic.types.beta.parsed_beta_message import ParsedBetaMessage

from claude_stream import (
    Accumulator,
    AsyncMessageStream,
    MessageStream,
    RefusalError,
    StopReasonError,
    StreamError,
    StreamTimer,
    StreamTruncatedError,
    ToolInputError,
    UsageTally,
    collect,
    ensure_finished,
    iter_blocks,
    iter_events,
    iter_parts,
    iter_progress,
    iter_text,
    iter_thinking,
    iter_tool_calls,
    iter_tool_inputs,
    tap,
    to_ndjson,
    to_sse,
)
from tests.fuzz.mutator import Mutator
from tests.fuzz.reading import Outcome, Run, aread, assert_agree, read, same, shown
from tests.fuzz.reference import Expected, RefusedError, events_in_lines, events_in_sse, fold


@dataclasses.dataclass(frozen=True)
class Case:
    """One example: events or chunks, what decides all else, and whether the reference can judge it."""

    items: list[Any]
    seed: int = 0
    weird: bool = False


@dataclasses.dataclass(frozen=True)
class Given:
    """A stream in the form in which it is fed, and what is known of it."""

    events: list[Any]
    wire: list[Any]
    expected: Expected
    cls: type[Any]
    weird: bool

    def built(self, merged: Any) -> Any:
        """Return the SDK's message for the reference's JSON, or None if there is none that the SDK can build."""
        try:
            return None if merged is None else self.cls.construct(**merged)
        except Exception:
            return None


def given(case: Case, dice: random.Random) -> Given:
    """Return the events of a case as dicts, or as the SDK makes objects of them."""
    union = dice.choice((None, None, RawMessageStreamEvent, BetaRawMessageStreamEvent))
    if union is None:
        return Given(case.items, case.items, fold(case.items), Message, case.weird)
    pairs = [_pair(event, union) for event in case.items]
    events, wire = [event for event, _ in pairs], [json for _, json in pairs]
    expected = fold(wire)
    starts = (
        event for event, json in zip(events, wire) if isinstance(json, dict) and json.get("type") == "message_start"
    )
    is_beta = type(next(starts, None)).__module__.startswith("anthropic.types.beta")
    return Given(events, wire, expected, BetaMessage if is_beta else Message, case.weird)


_PAIRS: dict[tuple[int, Any], tuple[Any, Any, Any]] = {}
"""What was made of events that are in many examples; the event itself keeps its number from being given again."""


def _pair(event: Any, union: Any) -> tuple[Any, Any]:
    """Return the SDK's object of an event, and the JSON of that."""
    found = _PAIRS.get((id(event), union))
    if found is None:
        made = _as_object(event, union)
        if len(_PAIRS) == _MOST:
            _PAIRS.clear()
        found = _PAIRS[id(event), union] = event, made, _dumped(made)
    return found[1:]


_MOST = 5_000


def _as_object(event: Any, union: Any) -> Any:
    try:
        return construct_type(value=event, type_=union)
    except Exception:  # names or depths that the SDK does not take
        return event


def _dumped(event: Any) -> Any:
    if not isinstance(event, anthropic.BaseModel):
        return event
    try:
        return event.to_dict(mode="json", warnings=False)
    except Exception:  # what pydantic cannot write as JSON is no event
        return None


# -- what must hold of every stream --


def judge(outcome: Outcome, stream: Given, *own: type[Exception] | None) -> None:
    """Check the error, its partial and the reader's message. ``own`` is what the iterator may end in besides."""
    error, expected = outcome.error, stream.expected
    assert error is None or isinstance(error, StreamError), f"{type(error).__name__} came out: {error}"
    if stream.weird:
        assert error is not None or expected.error is None, "what ended early looks finished"
        return
    kind = None if error is None else type(error)
    allowed = own or (expected.error,)
    assert kind in allowed, f"it ended in {error!r}, and not in {allowed}"
    if error is not None:
        seen = expected if kind is expected.error else _as_far_as(stream, error)
        assert_message(error.partial, seen.message(), stream)
        assert error.usage is not None
        assert error.content_started == bool(seen.content)
    if (reader := outcome.reader) is not None and hasattr(reader, "complete"):
        seen = expected if kind in (expected.error, None) else _as_far_as(stream, error)
        assert reader.complete == seen.complete, "it says that it is complete, or not, and is wrong"


def _as_far_as(stream: Given, error: Exception | None) -> Expected:
    """Return what is known where an iterator failed by itself, which its error says."""
    found = re.search(r"\(after (\d+) events;", str(error))
    return fold(stream.wire[: int(found[1])]) if found else stream.expected


def assert_message(actual: Any, merged: Any, stream: Given) -> None:
    """Check a message against the reference's JSON."""
    expected = stream.built(merged)
    if expected is None and merged is not None:
        return  # the SDK cannot build it
    assert same(actual, expected), f"the message is {shown(actual)}, and must be {shown(expected)}"


Check = Callable[[Outcome, Given], None]


def _strings(field: str) -> Check:
    def check(outcome: Outcome, stream: Given) -> None:
        judge(outcome, stream)
        if stream.weird:
            return
        expected = "".join(stream.expected.texts[field])
        assert "".join(outcome.items) == expected, f"it gave {outcome.items}, and not {expected!r}"
        assert all(outcome.items), "a chunk is empty"

    return check


def _events(outcome: Outcome, stream: Given) -> None:
    judge(outcome, stream)
    kinds = [event["type"] for event in stream.expected.passed]
    if not stream.weird:
        assert [item.type for item in outcome.items] == kinds, "events are missing, or more than there were"


def _finished(outcome: Outcome, stream: Given) -> None:
    ends: dict[str | None, type[Exception]] = {
        "refusal": RefusalError,
        "max_tokens": StopReasonError,
        "model_context_window_exceeded": StopReasonError,
    }
    expected = stream.expected
    judge(outcome, stream, ends.get(expected.stop_reason) if expected.error is None else expected.error)


def _message(outcome: Outcome, stream: Given) -> None:
    expected = stream.expected
    refused = ToolInputError if expected.error is None and expected.spoils_the_result() else expected.error
    judge(outcome, stream, refused)
    if outcome.error is None and not stream.weird:
        assert_message(outcome.items[0], expected.message(), stream)


def _blocks(outcome: Outcome, stream: Given) -> None:
    expected = stream.expected
    doubtful = any(content.is_doubtful for content in expected.content)
    judge(outcome, stream, expected.error, *([ToolInputError] if doubtful else []))
    if outcome.error is None and not stream.weird:
        message = stream.built(expected.message())
        rest = list(message.content)  # in another order, where several are open at a time
        for item in outcome.items:
            rest.remove(item)
        assert rest == [], "blocks of the message are missing"


def _calls(outcome: Outcome, stream: Given) -> None:
    expected = stream.expected
    calls = expected.called[0] if expected.called else []
    fails = expected.called and calls is None
    judge(outcome, stream, ToolInputError if fails else expected.error)
    if not stream.weird:
        _assert_calls(outcome.items, calls or [], stream)


def _assert_calls(items: list[Any], calls: list[int], stream: Given) -> None:
    message = stream.built(stream.expected.message())
    assert message is None or same(items, [message.content[index] for index in calls]), f"the calls are {shown(items)}"


def _eager_calls(outcome: Outcome, stream: Given) -> None:
    expected = stream.expected
    doubtful = any(content.is_doubtful for content in expected.content if content.start["type"] == "tool_use")
    judge(outcome, stream, expected.error, *([ToolInputError] if doubtful else []))
    if outcome.error is None and not stream.weird:
        kinds = [content.start["type"] for content in expected.content]
        assert len(outcome.items) == kinds.count("tool_use")


def _inputs(outcome: Outcome, stream: Given) -> None:
    judge(outcome, stream)
    raw: dict[int, str] = {}
    for item in outcome.items:
        raw[item.index] = raw.get(item.index, "") + item.delta
        assert item.text == raw[item.index]
    expected = {index: content.raw for index, content in enumerate(stream.expected.content)}
    complete = all(raw.get(index, "") == text for index, text in expected.items())
    assert complete or stream.weird, "pieces of an input are missing"
    for item in outcome.items[-1:]:
        _assert_snapshot(item)


def _assert_snapshot(item: Any) -> None:
    text = item.text.encode("utf-8", "surrogatepass")
    try:
        value = jiter.from_json(text, partial_mode=True) if text.strip() else {}
    except ValueError:
        value = ToolInputError
    try:
        assert same(item.snapshot, value)
    except ToolInputError:
        assert value is ToolInputError


def _parts(outcome: Outcome, stream: Given) -> None:
    expected = stream.expected
    calls = expected.called[0] if expected.called else []
    fails = expected.called and calls is None
    judge(outcome, stream, ToolInputError if fails else expected.error)
    kinds = [part.type for part in outcome.items]
    assert kinds.count("done") == kinds[-1:].count("done") == (outcome.error is None), "the end is not as it should be"
    if not stream.weird and not fails:
        for field in ("text", "thinking"):
            joined = "".join(part.text for part in outcome.items if part.type == field)
            assert joined == "".join(expected.texts[field]), f"the {field} is {joined!r}"
        _assert_calls([part.call for part in outcome.items if part.type == "tool_call"], calls or [], stream)


def _progress(outcome: Outcome, stream: Given) -> None:
    judge(outcome, stream)
    if not stream.weird:
        is_told = outcome.error is None and not stream.expected.stopped  # of the end, where no event says so
        assert len(outcome.items) == len(stream.expected.passed) + 1 + is_told, "one for each event, and one before"
        assert (outcome.items[-1].phase == "done") == (outcome.error is None), "it is done, or not, and is wrong"


def _relayed(decode: Callable[[bytes], list[Any]], *, raises: bool) -> Check:
    def check(outcome: Outcome, stream: Given) -> None:
        expected = stream.expected
        if raises:
            judge(outcome, stream)
        else:
            assert outcome.error is None, f"a relay raised {outcome.error!r}"
        back = fold(decode(b"".join(outcome.items)))
        assert expected.error is None or back.error is not None, "what ended early looks finished behind the relay"
        if not stream.weird:
            assert (back.error is None) == (expected.error is None), "it ends otherwise behind the relay"
            assert same(back.message(), expected.message()), "the message is another behind the relay"

    return check


def _helper(outcome: Outcome, stream: Given) -> None:
    expected = stream.expected
    parsed = ParsedBetaMessage if stream.cls is BetaMessage else ParsedMessage
    refused = [ToolInputError] if expected.error is None and expected.spoils_the_result() else []
    judge(outcome, dataclasses.replace(stream, cls=parsed), expected.error, *refused)


# -- the targets --


@dataclasses.dataclass(frozen=True)
class Iterator:
    """A target that is an iterator: how it is made, what must hold, and what of a result two readings share."""

    name: str
    make: Callable[[Any, random.Random], Any]
    verify: Check
    key: Callable[[Any], Any] = lambda item: item

    def case(self, mutator: Mutator) -> Case:
        """Return an example."""
        events = mutator.stream()
        return Case(events, mutator.dice.getrandbits(32), mutator.weird)

    def check(self, case: Case, run: Run) -> None:
        """Read it in sync and on asyncio, and judge both."""
        dice = random.Random(case.seed)
        stream = given(case, dice)
        options = dice.getrandbits(32)
        outcome = read(lambda source: self.make(source, random.Random(options)), stream.events)
        self.verify(outcome, stream)
        other = run(aread(lambda source: self.make(source, random.Random(options)), stream.events))
        assert_agree(outcome, other, self.key)
        if self.name.endswith("(by=)"):
            self._split(stream, outcome, options)

    def _split(self, stream: Given, outcome: Outcome, options: int) -> None:
        """Check that the pieces do not depend on how the text arrives."""
        split: list[Any] = []
        for event in stream.events:
            delta = event.get("delta") if isinstance(event, dict) else None
            name = next((name for name in ("text", "thinking") if isinstance(delta, dict) and name in delta), "")
            if (
                isinstance(delta, dict)
                and len(delta) == 2
                and isinstance(delta.get(name), str)
                and len(delta[name]) < 99
            ):
                split += [{**event, "delta": {**delta, name: piece}} for piece in delta[name] or [""]]
            else:
                split.append(event)
        again = read(lambda source: self.make(source, random.Random(options)), split)
        assert again.items == outcome.items, f"split, the pieces are {again.items}, and whole {outcome.items}"


def _by(function: Any) -> Callable[[Any, random.Random], Any]:
    def make(source: Any, dice: random.Random) -> Any:
        unit: Any = dice.choice(("word", "line", "sentence", _PATTERN, _first_even))
        return function(source, by=unit, max_length=dice.choice((None, None, 1, 7)))

    return make


_PATTERN = re.compile(r"[.a-f]+|\n")


def _first_even(text: str) -> int | None:
    return 2 if len(text) > 2 else None


def _observed(source: Any, dice: random.Random) -> Any:
    del dice
    return tap(source, StreamTimer().feed, Accumulator().feed)


def _stream(source: Any, dice: random.Random) -> Any:
    del dice
    return (AsyncMessageStream if hasattr(source, "__anext__") else MessageStream)(source)


def _plain(function: Any, **options: Any) -> Callable[[Any, random.Random], Any]:
    def make(source: Any, dice: random.Random) -> Any:
        del dice
        return function(source, **options)

    return make


ITERATORS = [
    Iterator("iter_events", _plain(iter_events), _events, lambda item: (type(item), item)),
    Iterator("iter_text", _plain(iter_text), _strings("text")),
    Iterator("iter_text(by=)", _by(iter_text), _strings("text")),
    Iterator("iter_thinking", _plain(iter_thinking), _strings("thinking")),
    Iterator("iter_thinking(by=)", _by(iter_thinking), _strings("thinking")),
    Iterator("iter_blocks", _plain(iter_blocks), _blocks),
    Iterator("iter_parts", _plain(iter_parts), _parts, shown),
    Iterator("iter_tool_calls", _plain(iter_tool_calls), _calls),
    Iterator("iter_tool_calls(eager=)", _plain(iter_tool_calls, eager=True), _eager_calls),
    Iterator("iter_tool_inputs", _plain(iter_tool_inputs), _inputs, shown),
    Iterator(
        "iter_progress",
        lambda source, dice: iter_progress(source, max_tokens=dice.choice((None, 1, 100))),
        _progress,
        lambda item: (item.phase, item.chars, item.usage, item.fraction),
    ),
    Iterator("tap", _observed, _events),
    Iterator("ensure_finished", _plain(ensure_finished), _finished),
    Iterator("collect", _plain(collect), _message),
    Iterator("MessageStream", _stream, _helper, lambda item: shown(item.type)),
    Iterator("to_sse", _plain(to_sse), _relayed(events_in_sse, raises=False)),
    Iterator("to_ndjson", _plain(to_ndjson), _relayed(events_in_lines, raises=True)),
]


class AccumulatorTarget:
    """Events that are fed by hand, with a look at everything in between, and on behind what is refused."""

    name = "Accumulator"

    def case(self, mutator: Mutator) -> Case:
        """Return an example."""
        return Case(mutator.stream(), mutator.dice.getrandbits(32), mutator.weird)

    def check(self, case: Case, run: Run) -> None:
        """Feed it, and compare it with the reference at some events, at each refusal, and at the end."""
        del run
        dice = random.Random(case.seed)
        stream = given(case, dice)
        accumulator: Accumulator[Any] = Accumulator()
        timer, expected = StreamTimer(), Expected()
        for event, wire in zip(stream.events, stream.wire):
            refused: type[Exception] | None = None
            try:
                expected.feed(wire)
            except RefusedError as exc:
                refused = exc.error
            error = _raised(lambda event=event: accumulator.feed(event))
            if stream.weird and error is not None:
                return
            assert stream.weird or _class_of(error) is refused, f"it refuses by {error!r}, and must by {refused}"
            if error is not None:
                assert_message(error.partial, expected.message(), stream)
                continue
            if not expected.stopped:
                timer.feed(event)
            if dice.random() < 0.03:
                self._compare(accumulator, expected, stream)
        self._compare(accumulator, expected, stream)

    def _compare(self, accumulator: Accumulator[Any], expected: Expected, stream: Given) -> None:
        with contextlib.suppress(StreamError) if stream.weird else contextlib.nullcontext():
            self._compare_all(accumulator, expected, stream)

    def _compare_all(self, accumulator: Accumulator[Any], expected: Expected, stream: Given) -> None:
        repr(accumulator)
        for prefill in (False, True):
            accumulator.to_param(prefill=prefill)
        tally = UsageTally()
        tally.add(accumulator)
        assert sum(usage.output_tokens for usage in tally.by_model.values()) == tally.total.output_tokens
        assert accumulator.complete == expected.complete
        if stream.weird:
            return
        assert_message(accumulator.message, expected.message(), stream)
        assert_message(accumulator._builder.snapshot, expected.message(), stream)
        is_open = [index for index, content in enumerate(expected.content) if not content.closed]
        assert set(is_open) <= set(accumulator.open_blocks)
        refused = ToolInputError if expected.spoils_the_result() else None
        refused = refused if expected.complete else StreamTruncatedError
        error = _raised(lambda: assert_message(accumulator.result(), expected.message(), stream))
        assert _class_of(error) is refused, f"the result is refused by {error!r}, and must by {refused}"


def _raised(call: Callable[[], object]) -> StreamError | None:
    """Return the one exception that a call may raise, if it did."""
    try:
        call()
    except StreamError as exc:
        return exc
    return None


def _class_of(error: StreamError | None) -> type[StreamError] | None:
    return None if error is None else type(error)
