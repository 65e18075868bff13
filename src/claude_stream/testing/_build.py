"""Streams built from plain content, correct in every event, or broken where the test wants it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias, Union, cast

from claude_stream._errors import API_ERRORS
from claude_stream._message_ids import message_ids

Content: TypeAlias = Union[str, "tuple[str, Mapping[str, Any]]", Mapping[str, Any]]
"""A text, a tool call as (name, input), or any content block as the final message holds it."""

_STRING_DELTAS = {"text": "text_delta", "thinking": "thinking_delta"}


def message_events(
    *content: Content,
    stop_reason: str | None = None,
    chunk: int = 8,
    usage: Mapping[str, Any] | None = None,
    id: str | None = None,  # noqa: A002 - the API's name
    model: str = "claude-test",
    error: str | Mapping[str, Any] | None = None,
    cut: int | None = None,
) -> list[dict[str, Any]]:
    """Return the events of a stream whose final message has this content.

    In a test the ids are ``msg_test_1``, ``msg_test_2`` and so on, in the order of the calls. The pytest plugin of
    this library counts from 1 in each test, so that an id stays the same in whatever order the tests run, alone and
    under pytest-xdist. (For pytest, all examples that hypothesis makes are one test.) Everything else is counted for
    the whole process, as ``msg_built_1`` and so on: what is built where a module is imported or a test is
    parametrised, by a fixture of a wider scope, in a script, in unittest's own runner. Such an id may change with
    what else is built: where a test compares it, give ``id``. Events that are played twice are one message, which a
    `UsageTally` counts once.

    Args:
        content: one item a content block: a string is text, a tuple is a tool call as (name, input),
            a dict is the block itself, which covers thinking, citations, and the server's tools.
        stop_reason: why the message ends; None stands for ``tool_use`` if there is a tool call, and
            ``end_turn`` if not.
        chunk: how many characters a delta has.
        id: the message's; None gives each message one of its own, as above.
        model: the message's model.
        usage: the final usage, over ``{"input_tokens": 10, "output_tokens": 12}``.
        error: an ``error.type`` that the API documents, or the body of any error, which comes instead of the end.
        cut: keep only so many events.

    Raises:
        TypeError: if an item of the content is none of these.
        ValueError: if ``chunk`` is not positive, or the API documents no such ``error.type``.

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
    events = [_message_start(counts, message_ids.next() if id is None else id, model)]
    for index, block in enumerate(blocks):
        events.extend(_block_events(index, block, chunk))
    if error is not None:
        events.append(error_event(error))
    else:
        if stop_reason is None:
            stop_reason = "tool_use" if any(block["type"] == "tool_use" for block in blocks) else "end_turn"
        delta = {"stop_reason": stop_reason, "stop_sequence": None}
        events.append({"type": "message_delta", "delta": delta, "usage": counts})
        events.append({"type": "message_stop"})
    return events[:cut]


def error_event(error: str | Mapping[str, Any], message: str | None = None) -> dict[str, Any]:
    """Return an ``error`` event; a request that is refused gets the same as its body.

    Args:
        error: an ``error.type`` that the API documents, or the body of any error.
        message: what the API says of the type; None stands for the type again.

    Raises:
        ValueError: if the API documents no such type.
    """
    if not isinstance(error, str):
        return {"type": "error", "error": dict(error)}
    if error not in API_ERRORS:
        raise ValueError(
            f"{error!r} is no error.type that the API documents, which are {', '.join(API_ERRORS)}; "
            'for any other, give the body of the error: {"type": ..., "message": ...}'
        )
    return {"type": "error", "error": {"type": error, "message": error if message is None else message}}


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
