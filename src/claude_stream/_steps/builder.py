"""The message that `create()` would have returned, merged from the wire JSON of its events.

The law: merge JSON, construct once. Every field of every event finds its place by a rule that does
not know the field, so nothing is lost that the SDK has no name for yet; the SDK's class is built
from the merged JSON only when somebody asks for the message. Feeding costs the length of the event.

This step is the first one behind the decoder in every pipeline, which is why every error carries the
message so far. `Accumulator` is the same for who feeds it by hand.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Mapping
from typing import Any, cast

from anthropic.types import Message, MessageParam, ParsedMessage
from anthropic.types.beta import BetaMessage
from anthropic.types.beta.parsed_beta_message import ParsedBetaMessage

from .._errors import StreamAPIError, StreamError, StreamProtocolError, ToolInputError
from .._json import OBJECT, Wire, copy_json, is_object
from .._step import Step
from .._usage import Usage
from .._wire.deltas import DELTA_STRINGS, piece_of, wire_of
from .._wire.events import construct, initial_content, is_beta, to_wire
from .block import PIECES, Block, Text
from .guard import Guard
from .param import content_to_send

# The stop reasons under which the API may close a tool call in the middle of its input.
CUTTING = frozenset({"max_tokens", "model_context_window_exceeded", "refusal"})
# The stop reasons which say that the tool calls are whole.
CALLING = frozenset({"tool_use", "pause_turn"})
# The stop reasons under which a call is meant to be answered, or may be cut where it would have been.
JUDGED = frozenset({"tool_use", "max_tokens", "model_context_window_exceeded"})
# The stop reasons which ask for the message to be sent back as it is.
RESUMED = frozenset({"pause_turn", "compaction"})


_NO_BLOCK = object()

_CLASSES: dict[tuple[bool, bool], type[Message | BetaMessage]] = {  # by (beta, parsed)
    (False, False): Message,
    (False, True): ParsedMessage,
    (True, False): BetaMessage,
    (True, True): ParsedBetaMessage,
}


class MessageBuilder(Step[Any, Wire]):
    """Events in, as objects of the SDK or as dicts; the same out as wire dicts, guarded and merged.

    Args:
        beta: build `BetaMessage` also from plain dicts. The SDK's beta events do so by themselves.
        parsed: build the SDK's Parsed* classes, as its MessageStream does.
        sourced: let wire dicts remember the objects that they were made from, for somebody to see. If not, a wire
            dict is good until the next event only.
        strict: raise if the stream ends before its message does; if not, take what came.
    """

    def __init__(self, *, beta: bool = False, parsed: bool = False, sourced: bool = True, strict: bool = True) -> None:
        self.beta = beta
        self.response: Any = None  # of a live stream: for the request ID, and for what errors carry
        self._parsed = parsed
        self._sourced = sourced
        self._strict = strict
        self.reset()

    def amend(self, *, beta: bool, parsed: bool, strict: bool) -> None:
        """Give more than was asked for first: a reader further on wants it, before anything is read."""
        self.beta |= beta
        self._parsed |= parsed
        self._strict &= strict
        self.guard.strict &= strict

    def reset(self) -> None:
        """Forget all events, for a stream that starts over."""
        self.guard = Guard(strict=self._strict)
        self.blocks: list[Block] = []
        self.handed_out: set[int] = set()  # tool calls that somebody was given before the message was complete
        self._message: Wire = {}  # without its content
        self._early_iterations = False  # of usage: they came with message_start, and no others have come
        # The block that the last delta was for, while nothing but deltas came; its type, its field and where it went.
        self._index: object = _NO_BLOCK
        self._delta_type: object = None
        self._field = ""
        self._delta: Wire = {}  # in the event that is returned for each delta like it, where nobody keeps any
        self._like_the_last: tuple[Wire, ...] = ()
        self._text = Text()
        self._pieces = self._text.pieces
        self._bare: Any = None  # the last snapshot without its content, while nothing but that has changed
        self._built: list[tuple[int, Any]] = []  # the blocks of the last snapshot, and the changes that they know of

    # -- events in --

    def feed(self, item: Any) -> Iterable[Wire]:
        """Take one event, and return it unless it is none of the API's or comes after ``message_stop``."""
        wire: Any = item
        if type(item) is not OBJECT:
            if not self._sourced and (piece := piece_of(item, self._index, self._delta_type)) is not None:
                # Nobody gets to see the object: one dict, which is good until the next event, serves for all like it.
                self._delta[self._field] = piece
                self.guard.events += 1
                self._pieces.append(piece)
                if len(self._pieces) > PIECES:
                    self._text.join()
                return self._like_the_last
            wire = wire_of(item, self._sourced)
        try:
            if (
                wire["index"] is self._index
                and wire["type"] == "content_block_delta"
                and type(delta := wire["delta"]) is OBJECT
                and len(delta) == 2
                and delta["type"] == self._delta_type
                and type(piece := delta[self._field]) is str
            ):
                # The way that nearly every event takes: one more delta like the last one, for the same block.
                self.guard.events += 1
                pieces = self._pieces
                pieces.append(piece)
                if len(pieces) > PIECES:
                    self._text.join()
                return (wire,)
        except (KeyError, TypeError):
            pass  # it is another kind of event, or lacks something
        return self._take(item)

    def _take(self, item: Any) -> Iterable[Wire]:
        """Take an event of any kind."""
        guard = self.guard
        if guard.stopped:
            return ()
        try:
            wire = to_wire(item)
            if wire is None:
                return ()
            passed = guard.feed(wire)
            self._merge(wire)
        except RecursionError:
            raise self.fail(StreamProtocolError(f"event {guard.events} is nested too deeply")) from None
        except StreamError as exc:
            raise self.fail(exc) from exc.__cause__
        return passed

    def _merge(self, wire: Wire) -> None:
        kind = wire["type"]
        if kind == "content_block_delta":
            self._merge_block_delta(wire["index"], wire["delta"])
            return
        self._index = _NO_BLOCK
        if kind == "content_block_start":
            self._start_block(wire["content_block"])
        elif kind == "content_block_stop":
            index: int = wire["index"]
            self.blocks[index].close()
        elif kind == "message_delta":
            self._merge_delta(wire)
        elif kind == "message_start":
            self._start(wire)

    def _merge_block_delta(self, index: int, delta: Wire) -> None:
        block, kind = self.blocks[index], delta.get("type")
        text = block.text_for(kind)
        if text is None:
            self._index = _NO_BLOCK  # it may replace the string that is being put together
            block.add(delta)
            return
        text.add(delta[DELTA_STRINGS[kind]])
        if len(delta) > 2:
            block.add_beside(delta)
            self._index = _NO_BLOCK
            return
        self._index, self._field, self._text, self._pieces = index, DELTA_STRINGS[kind], text, text.pieces
        # Not the one string that `jiter` hands out for all of them: comparing that with itself made the whole
        # pipeline a tenth slower (measured on Python 3.11).
        self._delta_type = sys.intern(str(kind))
        self._delta = {"type": self._delta_type, self._field: ""}
        self._like_the_last = ({"type": "content_block_delta", "index": index, "delta": self._delta},)

    def _start(self, wire: Wire) -> None:
        self.beta = self.beta or is_beta(wire)
        self._bare = None
        self._message = copy_json(wire["message"])
        usage = self._message.get("usage")
        self._early_iterations = is_object(usage) and "iterations" in usage
        for start in initial_content(wire):
            self._start_block(start)
            self.blocks[-1].close()

    def _start_block(self, start: Wire) -> None:
        self.blocks.append(Block(start))
        if start["type"] == "fallback" and is_object(start.get("to")):
            # A fallback names the model that serves the rest, as the message of `create()` does.
            self._bare = None
            _overwrite(self._message, {"model": start["to"].get("model")})

    def _merge_delta(self, wire: Wire) -> None:
        self._bare = None
        message = self._message
        for key, value in wire.items():
            if key == "delta":
                _overwrite(message, value)
            elif key == "usage" and is_object(message.get("usage")):
                if self._early_iterations and is_object(value):
                    # They were written when nothing was known of the rest, and would pass for the whole bill.
                    message["usage"].pop("iterations", None)
                    self._early_iterations = False
                _overwrite(message["usage"], value)
            elif key != "type":
                _overwrite(message, {key: value})

    # -- the message out --

    @property
    def message(self) -> Any:
        """The message as far as it has come, or None before ``message_start``; a copy each time."""
        return self._with_content([block.merged() for block in self.blocks]) if self.guard.started else None

    def _with_content(self, content: list[Any]) -> Any:
        message = self._construct({**copy_json(self._message), "content": content})
        message._request_id = self.header("request-id")
        message._workspace_id = self.header("anthropic-workspace-id")
        return message

    @property
    def snapshot(self) -> Any:
        """The same, for who looks at it at every event: it shares with the snapshot before what has not changed since.

        What has changed is a new object, so that nobody sees a snapshot of theirs change.
        """
        if not self.guard.started:
            return None
        if self._bare is None:
            self._bare = self._with_content([])
        for index, block in enumerate(self.blocks):
            if index == len(self._built):
                self._built.append((-1, None))
            changes, built = self._built[index]
            if changes != block.changes:
                self._built[index] = (block.changes, self.block(index))
            elif block.open:
                self._built[index] = (changes, built.model_copy(update=block.growing()))
        return self._bare.model_copy(update={"content": [built for _, built in self._built]})

    def header(self, name: str) -> str | None:
        """Return a header of the response, or None where there is no response or no such header."""
        headers: Mapping[str, str] = getattr(self.response, "headers", {})
        return headers.get(name)

    def block(self, index: int) -> Any:
        """Return one content block as the SDK's object, just as `message` would hold it; a copy."""
        return self._construct({"content": [self.blocks[index].merged()]}).content[0]

    def _construct(self, merged: Wire) -> Any:
        return construct(_CLASSES[self.beta, self._parsed], merged)

    def text(self, separator: str = "") -> str:
        """Return the text of all text blocks so far, in the order of the message, whatever order it came in."""
        return separator.join(block.string("text") for block in self.blocks if block.type == "text")

    @property
    def usage(self) -> Usage:
        """The tokens as far as they are counted; ``final`` once the message is complete."""
        content = [block.fields for block in self.blocks]
        return Usage.of_message({**self._message, "content": content}, final=self.complete)

    @property
    def complete(self) -> bool:
        """Whether the message is whole: ``message_stop`` came, or a stop reason with no block open."""
        return self.guard.complete

    def calls_to_answer(self) -> list[int]:
        """Return the indexes of the tool calls to answer, of a message that has ended: under `tool_use`, and no other.

        A ``fallback`` block marks where another model took over: what the one before it called is void.

        Raises:
            ToolInputError: if one is cut or malformed, also where the message was cut at it.
        """
        stop_reason = self.guard.stop_reason
        if stop_reason not in JUDGED:
            return []
        types = [block.type for block in self.blocks]
        start = len(types) - types[::-1].index("fallback") if "fallback" in types else 0
        calls = [index for index in range(start, len(types)) if types[index] == "tool_use"]
        for index in calls:
            block = self.blocks[index]
            if block.unusable_input or (block.empty_input and stop_reason != "tool_use"):
                raise block.input_error()
        return calls if stop_reason == "tool_use" else []

    @property
    def open_blocks(self) -> tuple[int, ...]:
        """The indexes of blocks that are not certain to be whole: still open, or tool calls that may be cut."""
        called = self.guard.stop_reason in CALLING
        return tuple(
            index
            for index, block in enumerate(self.blocks)
            if block.open or block.fault or (block.empty_input and not called)
        )

    def result(self) -> Any:
        """Return the complete message; see `Accumulator.result`."""
        try:
            self.guard.finish()
            may_be_cut = self.guard.stop_reason in CUTTING or not self._strict
            for block in self.blocks:
                if block.unusable_input and not (may_be_cut and block.cut):
                    raise block.input_error()
        except StreamError as exc:
            raise self.fail(exc) from exc.__cause__
        return self.message

    def to_param(self, *, prefill: bool) -> MessageParam | None:
        """Return the message so far as one that the next request accepts; see `Accumulator.to_param`."""
        stop_reason = self.guard.stop_reason
        if stop_reason == "refusal":
            details = self._message.get("stop_details")
            if not (prefill and is_object(details) and details.get("fallback_has_prefill_claim") is True):
                return None
        if self.complete and stop_reason in RESUMED:
            content = [block.merged() for block in self.blocks]
        else:
            content = content_to_send(self.blocks, {*self._calls(), *self.handed_out}, prefill=prefill)
        return cast("MessageParam", {"role": "assistant", "content": content}) if content else None

    def _calls(self) -> list[int]:
        with contextlib.suppress(ToolInputError):
            return self.calls_to_answer() if self.complete else []
        return []

    def summary(self) -> str:
        """Return what one wants to know of the message at a glance, in one line."""
        guard, usage = self.guard, self.usage
        if not guard.started:
            return "no message yet"
        state = f"complete, {guard.stop_reason}" if guard.complete else "not complete"
        kinds = ", ".join(block.type for block in self.blocks) or "no content"
        return f"{state}; {kinds}; {len(self.text())} characters of text; {usage.output_tokens} tokens out"

    # -- in a pipeline --

    def finish(self) -> Iterable[Any]:
        """Refuse an end that came too early."""
        try:
            return self.guard.finish()
        except StreamError as exc:
            raise self.fail(exc) from None

    def fail(self, exc: Exception) -> Exception:
        """Give an error of ours the message so far, and say in it how far that is."""
        if isinstance(exc, StreamError) and exc.usage is None:
            with contextlib.suppress(StreamError):  # what is wrong may be that no message can be made of it
                exc.partial = self.message
            exc.usage = self.usage
            exc.content_started = self.guard.content_started
            exc.message = f"{exc.message} ({self._received()})"
            exc.args = (exc.message,)
            if self.response is not None:
                self._attach_response(exc)
        return exc

    def _received(self) -> str:
        if not self.guard.started:
            return f"after {self.guard.events} events; nothing of a message had come"
        return (
            f"after {self.guard.events} events; received so far: content blocks {len(self.blocks)}, "
            f"characters of text {len(self.text())}"
        )

    def _attach_response(self, exc: StreamError) -> None:
        with contextlib.suppress(AttributeError, RuntimeError):  # a response of a mock may have been given none
            exc.request = self.response.request
        exc.request_id = self.header("request-id") or exc.request_id
        if isinstance(exc, StreamAPIError):
            exc.response = self.response
            exc.workspace_id = self.header("anthropic-workspace-id")


def _overwrite(target: Wire, update: Any) -> None:
    """Set what ``update`` says; null never erases."""
    for key, value in update.items() if is_object(update) else ():
        if value is not None or key not in target:
            target[key] = copy_json(value)
