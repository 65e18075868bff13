"""What a stream must end in, worked out a second time, from the API's documentation and the contracts of the design.

The law: nothing of the library is used here but the names of its exceptions. All events of a block are collected first,
and put together at the end, in one loop for each field, where the library merges as they come. JSON of a tool's input
is parsed by `jiter`, as the SDK does it: what a piece of JSON is worth is the parser's matter.

Sources: https://docs.claude.com/en/docs/build-with-claude/streaming,
https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
"""

from __future__ import annotations

import dataclasses
import json
import re
from typing import Any

import jiter

import claude_stream
from claude_stream import StreamAPIError, StreamProtocolError, StreamTruncatedError

PIECE_OF = {"text_delta": "text", "thinking_delta": "thinking", "input_json_delta": "partial_json"}
API_ERRORS = {
    "invalid_request_error": "StreamBadRequestError",
    "authentication_error": "StreamAuthenticationError",
    "billing_error": "StreamPaymentRequiredError",
    "permission_error": "StreamPermissionDeniedError",
    "not_found_error": "StreamNotFoundError",
    "conflict_error": "StreamConflictError",
    "request_too_large": "StreamContentTooLargeError",
    "rate_limit_error": "StreamRateLimitError",
    "api_error": "StreamInternalServerError",
    "timeout_error": "StreamGatewayTimeoutError",
    "overloaded_error": "StreamOverloadedError",
}
ANSWERED = ("tool_use", "max_tokens", "model_context_window_exceeded")
CUTS = ("max_tokens", "model_context_window_exceeded", "refusal")


class RefusedError(Exception):
    """An event that cannot stand where it stands, and the class of the error for it."""

    def __init__(self, error: type[Exception]) -> None:
        super().__init__(error.__name__)
        self.error = error


@dataclasses.dataclass
class Content:
    """One content block: how it starts, its deltas, and whether it was closed."""

    start: dict[str, Any]
    deltas: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    closed: bool = False

    @property
    def raw(self) -> str:
        """The JSON text of its input."""
        return "".join(delta["partial_json"] for delta in self.deltas if delta.get("type") == "input_json_delta")

    @property
    def has_whole_input(self) -> bool:
        """Whether the text of its input, if there is any, is a JSON object."""
        try:
            raw = self.raw.encode("utf-8", "surrogatepass")
            return not raw or isinstance(jiter.from_json(raw, allow_inf_nan=False), dict)
        except ValueError:
            return False

    @property
    def is_doubtful(self) -> bool:
        """Whether it is a tool call that is not certain to be whole, or a block whose input is no JSON object."""
        is_call = self.start["type"] == "tool_use"
        return not self.has_whole_input or (is_call and not (self.closed and (self.raw or self.start.get("input"))))

    def merged(self) -> dict[str, Any]:
        """Return its JSON, as the final message has it."""
        names = [*self.start, *(name for delta in self.deltas for name in delta)]
        found: dict[str, Any] = {name: self._field(name) for name in names if name in self.start or self._brings(name)}
        if any(delta.get("type") == "citations_delta" for delta in self.deltas):
            found["citations"] = self._field("citations")
        value = _as_far_as_certain(self.raw)
        return found if value is None else {**found, "input": value}

    def _brings(self, name: str) -> bool:
        return any(_changes(delta, name) for delta in self.deltas)

    def _field(self, name: str) -> Any:
        value = self.start.get(name)
        for delta in self.deltas:
            kind = delta.get("type")
            if kind == "citations_delta" and name == "citations":
                value = [*(value if isinstance(value, list) else []), delta.get("citation")]
            elif _changes(delta, name) and delta[name] is not None:
                new = delta[name]
                appends = kind != "compaction_delta" and name != "signature"
                if appends and isinstance(new, str) and isinstance(value, str):
                    value += new
                elif appends and isinstance(new, list) and isinstance(value, list):
                    value = value + new
                else:
                    value = new
        return value


def _changes(delta: dict[str, Any], name: str) -> bool:
    """Whether the delta says something of this field of its block."""
    kind = delta.get("type")
    if name not in delta or name == "type" or kind == "citations_delta":
        return False
    hint = name == "estimated_tokens" and (kind in PIECE_OF if isinstance(kind, str) else False)
    return not hint and not (kind == "input_json_delta" and name == "partial_json")


def _as_far_as_certain(raw: str) -> Any:
    try:
        return jiter.from_json(raw.encode("utf-8", "surrogatepass"), partial_mode=True)
    except ValueError:
        return None


@dataclasses.dataclass
class Expected:
    """What is known of a stream, after some events, or all."""

    passed: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    start: dict[str, Any] | None = None
    content: list[Content] = dataclasses.field(default_factory=list)
    tails: list[dict[str, Any]] = dataclasses.field(default_factory=list)  # message_delta events and fallbacks
    stopped: bool = False
    error: type[Exception] | None = None
    texts: dict[str, list[str]] = dataclasses.field(default_factory=lambda: {"text": [], "thinking": []})
    was_complete: bool = False  # at some time
    called: list[list[int] | None] = dataclasses.field(default_factory=list)  # `calls`, whenever it was complete

    @property
    def stop_reason(self) -> str | None:
        """The last that was said."""
        said = [tail["delta"].get("stop_reason") for tail in self.tails if isinstance(tail.get("delta"), dict)]
        return next((reason for reason in reversed(said) if isinstance(reason, str)), None)

    @property
    def complete(self) -> bool:
        """Whether the message is whole."""
        return self.stopped or (self.stop_reason is not None and all(each.closed for each in self.content))

    def feed(self, event: Any) -> None:
        """Take one event.

        Raises:
            RefusedError: if it cannot stand here; then it changes nothing.
        """
        if self.stopped:
            return
        if not isinstance(event, dict) or not isinstance(event.get("type"), str) or event["type"] == "message":
            raise RefusedError(StreamProtocolError)
        check = getattr(self, f"_on_{event['type']}", None)
        if check is not None:
            check(event)
        self.passed.append(event)
        if self.complete:
            self.was_complete = True
            if self.stop_reason in ANSWERED and check is not None:
                self.called.append(self.calls())

    def _on_error(self, event: dict[str, Any]) -> None:
        error = event.get("error")
        kind = error.get("type") if isinstance(error, dict) else None
        name = API_ERRORS.get(kind) if isinstance(kind, str) else None
        raise RefusedError(getattr(claude_stream, name) if name else StreamAPIError)

    def _on_message_start(self, event: dict[str, Any]) -> None:
        message = event.get("message")
        _demand(self.start is None and isinstance(message, dict))
        content = message.get("content")
        blocks = content if isinstance(content, list) else []
        _demand(all(map(_is_block, blocks)))
        self.start = message
        for block in blocks:
            self._add(block).closed = True

    def _on_content_block_start(self, event: dict[str, Any]) -> None:
        index, block = event.get("index"), event.get("content_block")
        _demand(self.start is not None and type(index) is int and index == len(self.content) and _is_block(block))
        self._add(block)

    def _add(self, block: dict[str, Any]) -> Content:
        content = Content(block)
        self.content.append(content)
        if block["type"] == "fallback" and isinstance(block.get("to"), dict):
            self.tails.append({"delta": {"model": block["to"].get("model")}})
        if block["type"] in self.texts and block.get(block["type"]):
            self.texts[block["type"]].append(block[block["type"]])
        return content

    def _on_content_block_delta(self, event: dict[str, Any]) -> None:
        content, delta = self._open(event), event.get("delta")
        _demand(isinstance(delta, dict))
        kind = delta.get("type")
        name = {**PIECE_OF, "signature_delta": "signature"}.get(kind) if isinstance(kind, str) else None
        _demand(name is None or isinstance(delta.get(name), str))
        content.deltas.append(delta)
        field = content.start["type"]
        if field in self.texts and isinstance(delta.get(field), str) and delta[field]:
            self.texts[field].append(delta[field])

    def _on_content_block_stop(self, event: dict[str, Any]) -> None:
        self._open(event).closed = True

    def _open(self, event: dict[str, Any]) -> Content:
        index = event.get("index")
        _demand(type(index) is int and 0 <= index < len(self.content) and not self.content[index].closed)
        return self.content[index]

    def _on_message_delta(self, event: dict[str, Any]) -> None:
        _demand(self.start is not None)
        self.tails.append(event)

    def _on_message_stop(self, event: dict[str, Any]) -> None:
        del event
        _demand(self.start is not None)
        self.stopped = True

    # -- what follows from it --

    def message(self) -> dict[str, Any] | None:
        """Return the JSON of the message as far as it has come."""
        if self.start is None:
            return None
        found = dict(self.start)
        early = isinstance(found.get("usage"), dict) and "iterations" in found["usage"]
        for tail in self.tails:
            for name, value in tail.items():
                if name == "delta":
                    _tell(found, value)
                elif name == "usage" and isinstance(found.get("usage"), dict):
                    found["usage"] = dict(found["usage"])
                    if early and isinstance(value, dict):
                        found["usage"].pop("iterations", None)
                        early = False
                    _tell(found["usage"], value)
                elif name != "type":
                    _tell(found, {name: value})
        return {**found, "content": [each.merged() for each in self.content]}

    def calls(self) -> list[int] | None:
        """Return the indexes of the calls to answer, of a message that is complete; None if one is cut or malformed."""
        if self.stop_reason not in ANSWERED:
            return []
        kinds = [each.start["type"] for each in self.content]
        first = max((index for index, kind in enumerate(kinds) if kind == "fallback"), default=-1) + 1
        found = [index for index in range(first, len(kinds)) if kinds[index] == "tool_use"]
        for each in (self.content[index] for index in found):
            empty = not each.raw and not each.start.get("input")
            if not each.closed or not each.has_whole_input or (empty and self.stop_reason != "tool_use"):
                return None
        return found if self.stop_reason == "tool_use" else []

    def spoils_the_result(self) -> bool:
        """Whether the final message is refused, because a tool's input is malformed and was not merely cut."""
        for each in self.content:
            is_call = each.start["type"] == "tool_use"  # those of the server nobody runs, and they may stay open
            if (not each.has_whole_input and (each.closed or is_call)) or (is_call and not each.closed):
                raw = each.raw.strip()
                is_cut = not raw or (raw.startswith("{") and _as_far_as_certain(each.raw) is not None)
                if self.stop_reason not in CUTS or not is_cut:
                    return True
        return False


def _demand(condition: bool) -> None:
    if not condition:
        raise RefusedError(StreamProtocolError)


def _is_block(block: Any) -> bool:
    if not isinstance(block, dict) or not isinstance(kind := block.get("type"), str):
        return False
    return kind not in ("text", "thinking") or isinstance(block.get(kind), (str, type(None)))


def _tell(target: dict[str, Any], said: Any) -> None:
    for name, value in said.items() if isinstance(said, dict) else ():
        if value is not None or name not in target:
            target[name] = value


def fold(events: list[Any]) -> Expected:
    """Return what the events of a stream must end in."""
    expected = Expected()
    for event in events:
        try:
            expected.feed(event)
        except RefusedError as refused:
            expected.error = refused.error
            return expected
    if not expected.complete:
        expected.error = StreamTruncatedError
    return expected


# -- bodies --


def events_in_sse(body: bytes) -> list[Any]:
    """Return the events in a body, where those that cannot be decoded are None."""
    events: list[Any] = []
    name, data = b"", list[bytes]()
    *lines, rest = re.split(rb"\r\n|\r|\n", body.removeprefix(b"\xef\xbb\xbf"))
    for line in lines:
        if line:
            name, data = _field(line, name, data)
        else:
            if data:
                events.append(_event(name, b"\n".join(data)))
            name, data = b"", []
    if rest:
        name, data = _field(rest, name, data)
    if data and (last := _event(name, b"\n".join(data))) is not None:
        events.append(last)
    return events


def _field(line: bytes, name: bytes, data: list[bytes]) -> tuple[bytes, list[bytes]]:
    field, colon, value = line.partition(b":")
    if colon and field == b"event":
        return value.strip(), data
    if colon and field == b"data" and value.strip():
        return name, [*data, value.strip()]
    return name, data


def _event(name: bytes, data: bytes) -> Any:
    try:
        event = read_json(data)
    except ValueError:
        return {"type": "error", "error": None} if name == b"error" else None
    if name == b"error":
        return {**event, "type": "error"} if isinstance(event, dict) and "error" in event else _an_error(event)
    if not isinstance(event, dict):
        return None
    return event if "type" in event else {"type": name.decode("utf-8", "replace") or None, **event}


def _an_error(error: Any) -> dict[str, Any]:
    return {"type": "error", "error": error}


def events_in_lines(body: bytes) -> list[Any]:
    """Return the events in lines of JSON, where those that cannot be decoded are None."""
    *lines, last = body.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    events = [_line(line) for line in lines if line.strip()]
    return events if _line(last) is None else [*events, _line(last)]


def _line(line: bytes) -> Any:
    try:
        event = read_json(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) else None


def read_json(data: bytes) -> Any:
    """Return the value of a JSON text in UTF-8.

    Raises:
        ValueError: if it is none.
    """
    try:
        return json.loads(data.decode("utf-8"))
    except RecursionError as exc:
        raise ValueError("it is nested too deeply") from exc
