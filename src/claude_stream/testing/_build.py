"""Streams built from plain content, correct in every event, or broken where the test wants it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias, Union, cast

Content: TypeAlias = Union[str, "tuple[str, Mapping[str, Any]]", Mapping[str, Any]]
"""A text, a tool call as (name, input), or any content block as the final message holds it."""

_STRING_DELTAS = {"text": "text_delta", "thinking": "thinking_delta"}


def message_events(
    *content: Content,
    stop_reason: str | None = None,
    chunk: int = 8,
    usage: Mapping[str, Any] | None = None,
    id: str = "msg_test",  # noqa: A002 - the API's name
    model: str = "claude-test",
    error: str | Mapping[str, Any] | None = None,
    cut: int | None = None,
) -> list[dict[str, Any]]:
    """Return the events of a stream whose final message has this content.

    Args:
        content: one item a content block: a string is text, a tuple is a tool call as (name, input),
            a dict is the block itself, which covers thinking, citations, and the server's tools.
        stop_reason: why the message ends; None stands for ``tool_use`` if there is a tool call, and
            ``end_turn`` if not.
        chunk: how many characters a delta has.
        id: the message's; a `UsageTally` counts each id once.
        model: the message's model.
        usage: the final usage, over ``{"input_tokens": 10, "output_tokens": 12}``.
        error: an ``error.type``, or the body of an error, which comes instead of the end.
        cut: keep only so many events.

    Raises:
        TypeError: if an item of the content is none of these.
        ValueError: if ``chunk`` is not positive.

    Example:
        >>> from claude_stream import collect
        >>> from claude_stream.testing import message_events
        >>> collect(message_events("Let me see.", ("get_weather", {"city": "Paris"}))).stop_reason
        'tool_use'
    """
    if chunk < 1:
        raise ValueError(f"chunk is a number of characters, at least 1, and not {chunk}")
    blocks = [_block(item, number) for number, item in enumerate(content)]
    counts = {"input_tokens": 10, "output_tokens": 12, **(usage or {})}
    events = [_message_start(counts, id, model)]
    for index, block in enumerate(blocks):
        events.extend(_block_events(index, block, chunk))
    if error is not None:
        body = {"type": error, "message": error} if isinstance(error, str) else dict(error)
        events.append({"type": "error", "error": body})
    else:
        if stop_reason is None:
            stop_reason = "tool_use" if any(block["type"] == "tool_use" for block in blocks) else "end_turn"
        delta = {"stop_reason": stop_reason, "stop_sequence": None}
        events.append({"type": "message_delta", "delta": delta, "usage": counts})
        events.append({"type": "message_stop"})
    return events[:cut]


def _message_start(counts: Mapping[str, Any], identifier: str, model: str) -> dict[str, Any]:
    message: dict[str, Any] = {
        "id": identifier,
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {**counts, "output_tokens": 1},  # what the API sends here is a placeholder, too
    }
    return {"type": "message_start", "message": message}


def _block(item: object, number: int) -> dict[str, Any]:
    if isinstance(item, str):
        return {"type": "text", "text": item}
    if isinstance(item, tuple):
        name, tool_input = cast("tuple[str, Mapping[str, Any]]", item)
        return {"type": "tool_use", "id": f"toolu_test_{number}", "name": name, "input": dict(tool_input)}
    if isinstance(item, Mapping):
        return dict(cast("Mapping[str, Any]", item))
    raise TypeError(f"content {number} is a {type(item).__name__}: give a string, (name, input), or a block as a dict")


def _block_events(index: int, block: dict[str, Any], chunk: int) -> Iterator[dict[str, Any]]:
    start = dict(block)
    deltas: list[dict[str, Any]] = []
    kind = block.get("type")
    if kind in _STRING_DELTAS:
        deltas += [{"type": _STRING_DELTAS[kind], kind: piece} for piece in _pieces(block.get(kind, ""), chunk)]
        start[kind] = ""
        if "signature" in block:
            deltas.append({"type": "signature_delta", "signature": block["signature"]})
            start["signature"] = ""
        if block.get("citations"):
            deltas += [{"type": "citations_delta", "citation": citation} for citation in block["citations"]]
            start["citations"] = []
    elif "input" in block:
        text = json.dumps(block["input"], ensure_ascii=False) if block["input"] else ""
        deltas += [{"type": "input_json_delta", "partial_json": piece} for piece in ("", *_pieces(text, chunk))]
        start["input"] = {}
    yield {"type": "content_block_start", "index": index, "content_block": start}
    for delta in deltas:
        yield {"type": "content_block_delta", "index": index, "delta": delta}
    yield {"type": "content_block_stop", "index": index}


def _pieces(text: str, size: int) -> list[str]:
    return [text[start : start + size] for start in range(0, len(text), size)]
