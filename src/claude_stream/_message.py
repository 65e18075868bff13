"""The message that `create()` would have returned, merged from the wire JSON of its events.

The law: merge JSON, construct once. Every field of every event finds its place by a rule that does
not know the field, so nothing is lost that the SDK has no name for yet; the SDK's class is built
from the merged JSON only when somebody asks for the message. Feeding costs the length of the event.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Mapping
from typing import Any, Generic, Literal, cast, overload

from anthropic.types import Message, MessageParam, ParsedMessage
from anthropic.types.beta import BetaMessage
from anthropic.types.beta.parsed_beta_message import ParsedBetaMessage
from typing_extensions import TypeVar

from ._errors import StreamAPIError, StreamError, StreamProtocolError
from ._events import construct, initial_content, is_beta, to_wire
from ._fast import DELTA_STRINGS, wire_of
from ._guard import Guard
from ._json import OBJECT, copy_json, is_object
from ._merge import PIECES, Block, Text
from ._step import Step
from ._usage import Usage

MessageT = TypeVar("MessageT", default=Message)

# The stop reasons under which the API may close a tool call in the middle of its input.
CUTTING = frozenset({"max_tokens", "model_context_window_exceeded", "refusal"})
# The stop reasons which say that the tool calls are meant to be answered.
CALLING = frozenset({"tool_use", "pause_turn"})


_NO_BLOCK = object()

_CLASSES: dict[tuple[bool, bool], type[Message | BetaMessage]] = {  # by (beta, parsed)
    (False, False): Message,
    (False, True): ParsedMessage,
    (True, False): BetaMessage,
    (True, True): ParsedBetaMessage,
}


class Accumulator(Step, Generic[MessageT]):
    """Builds the message from its events; the push-mode core of the library.

    Feed it every event, as an SDK object or as a dict, and ask at any time for the message so far.
    It is also the first step of every pipeline here, so that each error carries ``.partial``.
    Not safe to use from several threads at once.

    Args:
        beta: build `BetaMessage` also from plain dicts. The SDK's beta events do so by themselves.

    Example:
        >>> from claude_stream import Accumulator
        >>> accumulator = Accumulator()
        >>> for event in events:
        ...     _ = accumulator.feed(event)
        >>> accumulator.result().content[0].text
        'Hello, world!'
    """

    @overload
    def __init__(self: Accumulator[BetaMessage], *, beta: Literal[True]) -> None: ...
    @overload
    def __init__(self, *, beta: bool = False) -> None: ...
    def __init__(self, *, beta: bool = False) -> None:
        self.beta = beta
        self.parsed = False  # build the SDK's Parsed* classes, as its MessageStream does
        self.sourced = True  # let wire dicts remember the objects that they were made from
        self.response: Any = None  # the driver sets it: for the request ID, and for what errors carry
        self.guard = Guard()
        self.blocks: list[Block] = []
        self._message: dict[str, Any] | None = None
        # The block that the last delta was for, while nothing but deltas came; its type, its field and where it went.
        self._index: object = _NO_BLOCK
        self._delta_type: object = None
        self._field = ""
        self._text = Text()
        self._pieces = self._text.pieces

    def reset(self) -> None:
        """Forget all events, for a stream that starts over."""
        strict = self.guard.strict
        self.guard = Guard()
        self.guard.strict = strict
        self.blocks = []
        self._message = None
        self._index = _NO_BLOCK

    # -- events in --

    def feed(self, item: Any) -> Iterable[dict[str, Any]]:
        """Take one event.

        Args:
            item: an event of the SDK, or its JSON as a dict. Events that the SDK's `MessageStream`
                puts between the API's are ignored, as is everything after ``message_stop``.

        Raises:
            StreamError: what is wrong with the event, or what an ``error`` event said.
        """
        wire: Any = item if type(item) is OBJECT else wire_of(item, self.sourced)
        try:
            if (
                wire["index"] is self._index
                and wire["type"] == "content_block_delta"
                and type(delta := wire["delta"]) is OBJECT
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

    def _take(self, item: Any) -> Iterable[dict[str, Any]]:
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

    def _merge(self, wire: dict[str, Any]) -> None:
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

    def _merge_block_delta(self, index: int, delta: dict[str, Any]) -> None:
        block, kind = self.blocks[index], delta.get("type")
        text = block.text_for(kind)
        if text is None:
            block.add(delta)
            return
        text.pieces.append(delta[DELTA_STRINGS[kind]])
        self._index, self._field, self._text, self._pieces = index, DELTA_STRINGS[kind], text, text.pieces
        # Not the one string that `jiter` hands out for all of them: comparing that with itself made the whole
        # pipeline a tenth slower (measured on Python 3.11).
        self._delta_type = sys.intern(str(kind))

    def _start(self, wire: dict[str, Any]) -> None:
        self.beta = self.beta or is_beta(wire)
        self._message = copy_json(wire["message"])
        for start in initial_content(wire):
            self._start_block(start)
            self.blocks[-1].close()

    def _start_block(self, start: dict[str, Any]) -> None:
        self.blocks.append(Block(start))
        if start["type"] == "fallback" and is_object(start.get("to")):
            # A fallback names the model that serves the rest, as the message of `create()` does.
            _overwrite(cast("dict[str, Any]", self._message), {"model": start["to"].get("model")})

    def _merge_delta(self, wire: dict[str, Any]) -> None:
        message = cast("dict[str, Any]", self._message)
        for key, value in wire.items():
            if key == "delta":
                _overwrite(message, value)
            elif key == "usage" and is_object(message.get("usage")):
                _overwrite(message["usage"], value)
            elif key != "type":
                _overwrite(message, {key: value})

    # -- the message out --

    @property
    def message(self) -> MessageT | None:
        """The message as far as it has come, or None before ``message_start``; a copy each time."""
        if self._message is None:
            return None
        message = self._construct({**copy_json(self._message), "content": [block.merged() for block in self.blocks]})
        headers: Mapping[str, str] = getattr(self.response, "headers", {})
        message._request_id = headers.get("request-id")
        message._workspace_id = headers.get("anthropic-workspace-id")
        return cast("MessageT", message)

    def block(self, index: int) -> Any:
        """Return one content block as the SDK's object, just as `message` would hold it; a copy."""
        return self._construct({"content": [self.blocks[index].merged()]}).content[0]

    def _construct(self, merged: dict[str, Any]) -> Any:
        return construct(_CLASSES[self.beta, self.parsed], merged)

    @property
    def usage(self) -> Usage:
        """The tokens as far as they are counted; ``final`` once the message is complete."""
        counts = (self._message or {}).get("usage")
        return Usage.from_wire(counts if is_object(counts) else {}, final=self.complete)

    @property
    def complete(self) -> bool:
        """Whether the message is whole: ``message_stop`` came, or a stop reason with no block open."""
        return self.guard.complete

    @property
    def open_blocks(self) -> tuple[int, ...]:
        """The indexes of blocks that are not certain to be whole: still open, or tool calls that may be cut."""
        called = self.guard.stop_reason in CALLING
        return tuple(
            index
            for index, block in enumerate(self.blocks)
            if block.open or block.fault or (block.empty_input and not called)
        )

    def result(self) -> MessageT:
        """Return the complete message.

        A tool call that ``max_tokens`` cut keeps the part of its input that came, as in the SDK, and
        is named by `open_blocks`.

        Raises:
            StreamTruncatedError: if the message is not complete.
            ToolInputError: if the input of a tool call is malformed.
        """
        try:
            self.guard.finish()
            may_be_cut = self.guard.stop_reason in CUTTING or not self.guard.strict
            for block in self.blocks:
                if block.unusable_input and not (may_be_cut and block.cut):
                    raise block.input_error()
            return cast("MessageT", self.message)
        except StreamError as exc:
            raise self.fail(exc) from exc.__cause__

    def to_param(self) -> MessageParam | None:
        """Return the message so far for the history of the next request, or None if nothing is left.

        Answer every tool call in it, and put a user message behind it: alone at the end it would be a
        prefill, which many models refuse. Kept are closed blocks and the text of an open one. Left out
        is what the API answers with a 400: thinking without its signature, thinking at the end, tool
        calls that are not certain to be whole, server tool calls without their result (unless the turn
        was paused there), blank text.
        """
        merged = [(index, block.merged()) for index, block in enumerate(self.blocks)]
        answered = [block.get("tool_use_id") for index, block in merged if not self.blocks[index].open]
        paused = self.complete and self.guard.stop_reason == "pause_turn"
        unfinished = self.open_blocks

        def accepted(index: int, block: dict[str, Any]) -> bool:
            kind = block["type"]
            if kind == "text":
                text = block.get("text")
                return isinstance(text, str) and bool(text.strip())
            if kind == "thinking" and not block.get("signature"):
                return False
            if kind in ("server_tool_use", "mcp_tool_use") and not paused and block.get("id") not in answered:
                return False
            return index not in unfinished

        content = [block for index, block in merged if accepted(index, block)]
        while content and content[-1]["type"] in ("thinking", "redacted_thinking"):
            content.pop()
        return cast("MessageParam", {"role": "assistant", "content": content}) if content else None

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
                exc.partial = cast("Any", self.message)
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
        texts = [block.merged().get("text") for block in self.blocks]
        characters = sum(len(text) for text in texts if isinstance(text, str))
        return (
            f"after {self.guard.events} events; received so far: content blocks {len(self.blocks)}, "
            f"characters of text {characters}"
        )

    def _attach_response(self, exc: StreamError) -> None:
        headers: Mapping[str, str] = getattr(self.response, "headers", {})
        with contextlib.suppress(AttributeError, RuntimeError):  # a response of a mock may have been given none
            exc.request = self.response.request
        exc.request_id = headers.get("request-id") or exc.request_id
        if isinstance(exc, StreamAPIError):
            exc.response = self.response
            exc.workspace_id = headers.get("anthropic-workspace-id")


def _overwrite(target: dict[str, Any], update: Any) -> None:
    """Set what ``update`` says; null never erases."""
    for key, value in update.items() if is_object(update) else ():
        if value is not None or key not in target:
            target[key] = copy_json(value)
