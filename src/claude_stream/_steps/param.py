"""What of a message goes back to the API, in the history of the next request.

The law: what the API answers with a 400 is left out, whole, and with it what refers to it; and no tool call goes back
that nobody was given to answer. Nothing is changed but the white space at the end of a prefill.

Sources: https://platform.claude.com/docs/en/build-with-claude/extended-thinking,
https://platform.claude.com/docs/en/build-with-claude/refusals-and-fallback,
https://platform.claude.com/docs/en/agents-and-tools/tool-use/programmatic-tool-calling.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence

from .._json import Wire, is_object
from .block import Block

_THINKING = ("thinking", "redacted_thinking")


def content_to_send(blocks: Sequence[Block], calls: Container[int], *, prefill: bool) -> list[Wire]:
    """Return the content blocks that the next request accepts; none, if there are none.

    Args:
        blocks: the message's, as far as they have come.
        calls: the indexes of the tool calls that were handed out to be answered.
        prefill: the message is to stand last in the request.
    """
    content = [block.merged() for block in blocks]
    kept = set(_acceptable(blocks, content, () if prefill else calls))
    _keep_pairs(blocks, content, kept)
    found = [content[index] for index in sorted(kept)]
    while found and not _may_stand_last(found[-1], prefill=prefill):
        found.pop()
    return found if any(block["type"] != "fallback" for block in found) else []


def _acceptable(blocks: Sequence[Block], content: Sequence[Wire], calls: Container[int]) -> Iterator[int]:
    """Yield the indexes of what is acceptable by itself."""
    types = [block.type for block in blocks]
    taken_over = len(types) - types[::-1].index("fallback") if "fallback" in types else 0
    whole = _whole_thinking(blocks, content)
    for index, block in enumerate(blocks):
        kind = block.type
        if kind == "text":
            text = content[index].get("text")
            acceptable = isinstance(text, str) and bool(text.strip())
        elif kind == "fallback":
            acceptable = True
        elif is_server_tool(kind):
            acceptable = not block.open
        elif index < taken_over:
            acceptable = False  # of the model before the last: thinking, tool calls, whatever was its own
        elif kind in _THINKING:
            acceptable = index in whole
        elif kind == "tool_use":
            acceptable = index in calls
        else:
            acceptable = not block.open
        if acceptable:
            yield index


def _whole_thinking(blocks: Sequence[Block], content: Sequence[Wire]) -> set[int]:
    """Return the indexes of thinking that is signed, in runs: one goes back whole or not at all."""
    whole: set[int] = set()
    run: list[int] = []
    for index in range(len(blocks) + 1):
        if index < len(blocks) and blocks[index].type in _THINKING:
            run.append(index)
            continue
        if all(not blocks[each].open and _is_signed(content[each]) for each in run):
            whole.update(run)
        run = []
    return whole


def _is_signed(block: Wire) -> bool:
    return bool(block.get("signature" if block["type"] == "thinking" else "data"))


def _keep_pairs(blocks: Sequence[Block], content: Sequence[Wire], kept: set[int]) -> None:
    """Leave out server tool calls without a result, unless one of our calls has to be answered first.

    And results without their call. One whose call is in no block belongs to a call of an earlier turn.
    """
    server_calls = {
        index: _id(content[index], "id") for index, block in enumerate(blocks) if _is_server_call(block.type)
    }
    called: set[str | None] = set()
    settled: set[str | None] = set()
    for index in sorted(kept):
        block = content[index]
        if index in server_calls:
            called.add(_id(block, "id"))
        elif _is_result(block["type"]):
            call = _id(block, "tool_use_id")
            if call in called:
                settled.add(call)
            elif call in server_calls.values():
                kept.discard(index)
        elif block["type"] == "tool_use" and is_object(caller := block.get("caller")):
            settled.add(_id(caller, "tool_id"))
    kept.difference_update(index for index, call in server_calls.items() if call not in settled)


def _id(fields: Wire, name: str) -> str | None:
    value = fields.get(name)
    return value if isinstance(value, str) else None


def is_server_tool(kind: str) -> bool:
    """Return whether a block of this type is a call of one of the server's own tools, or a result of one."""
    return _is_server_call(kind) or _is_result(kind)


def _is_server_call(kind: str) -> bool:
    return kind.endswith("tool_use") and kind != "tool_use"


def _is_result(kind: str) -> bool:
    return kind.endswith("tool_result")


def _may_stand_last(block: Wire, *, prefill: bool) -> bool:
    """Return whether a message may end in this block; in a prefill, white space at its end is taken off."""
    if block["type"] == "text" and prefill:
        block["text"] = block["text"].rstrip()
        return bool(block["text"])
    return block["type"] not in _THINKING
