"""The ways to read a body that are timed: this library's, the SDK's, and the floor under both.

The law: a reader does what a user's loop does and nothing else; each is written once for sync and once for asyncio, in
the same order. What a reader does not keep while it is timed, it keeps for the proof, by the same calls.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterable
from typing import Any

import jiter

from claude_stream import collect, iter_events, iter_text, iter_tool_calls, open_stream, to_sse

from .clients import REQUEST
from .measure import Bench, Facts, Reader

# -- facts --


def plain(value: Any) -> Any:
    """Return an object of the SDK, or JSON, as JSON without what is null, which may be set or not."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return plain(value.to_dict(warnings=False)) if hasattr(value, "to_dict") else value


def message_facts(message: Any) -> Facts:
    """Return what a final message says."""
    return {
        "message": plain(message),
        "text": "".join(block.text for block in message.content if block.type == "text"),
        "calls": [block.input for block in message.content if block.type == "tool_use"],
        "usage": (message.usage.input_tokens, message.usage.output_tokens),
    }


def result_facts(result: Any) -> Facts:
    """Return what reading text, message, usage and timing gave; the SDK's helper has no timing."""
    text, message, usage, timing = result
    facts = dict(message_facts(message))
    if facts["text"] != text:
        raise AssertionError("the text that was read is not the text of the message")
    if timing is not None and not 0 <= timing.ttft <= timing.elapsed:
        raise AssertionError("nothing was timed")
    return {**facts, "usage": (usage.input_tokens, usage.output_tokens)}


def event_facts(events: Iterable[Any]) -> Facts:
    """Return what raw events say."""
    wires = [plain(event) for event in events]
    deltas = [wire["delta"] for wire in wires if wire["type"] == "content_block_delta"]
    buffer = "".join(delta.get("partial_json", "") for delta in deltas)
    return {
        "events": len(wires),
        "text": "".join(delta.get("text", "") for delta in deltas),
        "calls": [json.loads(buffer)] if buffer else [],
        "wires": wires,
    }


def helper_facts(events: list[Any]) -> Facts:
    """Return what a helper's events say, the synthesised ones included."""
    return {**message_facts(events[-1].message), "helper events": [plain(event) for event in events]}


def frame_facts(frames: list[bytes]) -> Facts:
    """Return what the frames of a relay say."""
    return event_facts([json.loads(frame.partition(b"\ndata: ")[2]) for frame in frames])


def json_facts(events: list[str]) -> Facts:
    """Return what a helper's events say as JSON, without those that repeat others."""
    wires = [json.loads(event) for event in events]
    return {"text": event_facts(wire for wire in wires if wire["type"] == "content_block_delta")["text"]}


def call_facts(calls: list[Any]) -> Facts:
    """Return what the tool calls are."""
    return {"calls": [call.input for call in calls]}


# -- shapes of readers --


def giving(read: Callable[[Bench], Any], facts: Callable[[Any], Facts]) -> Reader:
    """Return a reader that gives its result, timed or not."""
    return Reader(read, read, facts)


def looping(open_: Callable[[Any], Any], facts: Callable[[Any], Facts]) -> Reader:
    """Return a reader that loops over what `open_` makes of a client, and does nothing with it."""

    def read(bench: Bench) -> None:
        with open_(bench.client) as items:
            for _ in items:
                pass

    def keep(bench: Bench) -> list[Any]:
        with open_(bench.client) as items:
            return list(items)

    return Reader(read, keep, facts)


def looping_async(open_: Callable[[Any], Any], facts: Callable[[Any], Facts]) -> Reader:
    """Return the same for an async client; what `open_` gives may be to be awaited."""

    async def opened(bench: Bench) -> Any:
        made = open_(bench.client)
        return await made if inspect.isawaitable(made) else made

    async def read(bench: Bench) -> None:
        async with await opened(bench) as items:
            async for _ in items:
                pass

    async def keep(bench: Bench) -> list[Any]:
        async with await opened(bench) as items:
            return [item async for item in items]

    return Reader(read, keep, facts)


def create(client: Any) -> Any:
    """Return the SDK's typed stream, to be awaited if the client is async."""
    return client.messages.create(**REQUEST, stream=True)


def helper(client: Any) -> Any:
    """Return the SDK's own helper."""
    return client.messages.stream(**REQUEST)


def ours(client: Any) -> Any:
    """Return this library's stream in its place."""
    return open_stream(client, **REQUEST)


def read_ours(bench: Bench) -> Any:
    with ours(bench.client) as stream:
        return "".join(stream.text_stream), stream.get_final_message(), stream.usage, stream.timing


def read_helper(bench: Bench) -> Any:
    with helper(bench.client) as stream:
        text, message = "".join(stream.text_stream), stream.get_final_message()
        return text, message, message.usage, None


def helper_message(bench: Bench) -> Any:
    with helper(bench.client) as stream:
        return stream.get_final_message()


async def read_ours_async(bench: Bench) -> Any:
    async with ours(bench.client) as stream:
        text = "".join([chunk async for chunk in stream.text_stream])
        return text, await stream.get_final_message(), stream.usage, stream.timing


async def read_helper_async(bench: Bench) -> Any:
    async with helper(bench.client) as stream:
        text = "".join([chunk async for chunk in stream.text_stream])
        message = await stream.get_final_message()
        return text, message, message.usage, None


async def helper_message_async(bench: Bench) -> Any:
    async with helper(bench.client) as stream:
        return await stream.get_final_message()


LIMITED: dict[str, Any] = {**REQUEST, "restarts": 2, "first_timeout": 30, "idle_timeout": 30}


def read_limited(bench: Bench) -> Any:
    with open_stream(bench.client, **LIMITED) as stream:
        return "".join(stream.text_stream), stream.get_final_message(), stream.usage, stream.timing


async def read_limited_async(bench: Bench) -> Any:
    async with open_stream(bench.client, **LIMITED) as stream:
        text = "".join([chunk async for chunk in stream.text_stream])
        return text, await stream.get_final_message(), stream.usage, stream.timing


def read_snapshots(open_: Callable[[Any], Any]) -> Callable[[Bench], Any]:
    """Return what looks at the message so far at each delta, and gives the last that it saw."""

    def read(bench: Bench) -> Any:
        snapshot: Any = None
        with open_(bench.client) as stream:
            for event in stream:
                if event.type == "content_block_delta":
                    snapshot = stream.current_message_snapshot
        return snapshot

    return read


def snapshot_facts(message: Any) -> Facts:
    """Return what the last snapshot says."""
    return {"text": message.content[-1].text}


# -- what is sent on --


def sending(open_: Callable[[Any], Any], send: Callable[[Any], Iterable[Any]], facts: Callable[[Any], Facts]) -> Reader:
    """Return a reader that loops over what `send` makes of an open stream, and does nothing with it."""

    def read(bench: Bench) -> None:
        with open_(bench.client) as stream:
            for _ in send(stream):
                pass

    def keep(bench: Bench) -> list[Any]:
        with open_(bench.client) as stream:
            return list(send(stream))

    return Reader(read, keep, facts)


def sending_async(open_: Callable[[Any], Any], send: Callable[[Any], Any], facts: Callable[[Any], Facts]) -> Reader:
    """Return the same for an async client."""

    async def read(bench: Bench) -> None:
        async with open_(bench.client) as stream:
            async for _ in send(stream):
                pass

    async def keep(bench: Bench) -> list[Any]:
        async with open_(bench.client) as stream:
            return [item async for item in send(stream)]

    return Reader(read, keep, facts)


def jsons(stream: Any) -> Iterable[str]:
    return (event.to_json(indent=None) for event in stream)


def jsons_async(stream: Any) -> Any:
    return (event.to_json(indent=None) async for event in stream)


# -- dicts, which need no decoding --


def text_of_dicts(bench: Bench) -> Any:
    return iter_text(map(bench.body.wires.__getitem__, bench.transport.open().left))


def read_text(bench: Bench) -> str:
    return "".join(text_of_dicts(bench))


def read_text_and_result(bench: Bench) -> Any:
    reader = text_of_dicts(bench)
    text = "".join(reader)
    message = reader.result()
    return text, message, message.usage, None


# -- the floor --


def floor(chunks: Iterable[bytes]) -> Any:
    """Split on the blank line and parse the data line, nothing else; return the last event."""
    event = None
    for chunk in chunks:
        for block in chunk.split(b"\n\n"):
            if block:
                event = jiter.from_json(block.partition(b"\ndata: ")[2])
    return event


def read_floor(bench: Bench) -> None:
    floor(bench.transport.open().left)


def keep_floor(bench: Bench) -> list[Any]:
    return [floor([chunk]) for chunk in bench.transport.open().left]


def read_bytes(bench: Bench) -> None:
    with bench.client.messages.with_streaming_response.create(**REQUEST, stream=True) as response:
        for _ in response.http_response.iter_bytes():
            pass


def keep_bytes(bench: Bench) -> list[bytes]:
    with bench.client.messages.with_streaming_response.create(**REQUEST, stream=True) as response:
        return list(response.http_response.iter_bytes())


async def read_bytes_async(bench: Bench) -> None:
    async with bench.client.messages.with_streaming_response.create(**REQUEST, stream=True) as response:
        async for _ in response.http_response.aiter_bytes():
            pass


async def keep_bytes_async(bench: Bench) -> list[bytes]:
    async with bench.client.messages.with_streaming_response.create(**REQUEST, stream=True) as response:
        return [chunk async for chunk in response.http_response.aiter_bytes()]


def bytes_facts(chunks: list[bytes]) -> Facts:
    """Return how much came."""
    return {"events": len(chunks), "bytes": sum(map(len, chunks))}


FLOOR = Reader(read_floor, keep_floor, event_facts)

SYNC = {
    "bytes": Reader(read_bytes, keep_bytes, bytes_facts),
    "floor": FLOOR,
    "ours": giving(read_ours, result_facts),
    "limited": giving(read_limited, result_facts),
    "text of dicts": giving(read_text, lambda text: {"text": text}),
    "text of dicts, result": giving(read_text_and_result, result_facts),
    "raw": looping(create, event_facts),
    "iter_text": looping(lambda client: iter_text(create(client)), lambda texts: {"text": "".join(texts)}),
    "iter_events": looping(lambda client: iter_events(create(client)), event_facts),
    "iter_tool_calls": looping(lambda client: iter_tool_calls(create(client)), call_facts),
    "collect": giving(lambda bench: collect(create(bench.client)), message_facts),
    "helper message": giving(helper_message, message_facts),
    "helper": giving(read_helper, result_facts),
    "helper events": looping(helper, helper_facts),
    "our events": looping(ours, helper_facts),
    "helper snapshots": giving(read_snapshots(helper), snapshot_facts),
    "our snapshots": giving(read_snapshots(ours), snapshot_facts),
    "relay": sending(ours, to_sse, frame_facts),
    "helper as JSON": sending(helper, jsons, json_facts),
}
"""By name: how a sync client's answer is read. They take turns in this order: neighbours are what is compared most."""

ASYNC = {
    "bytes": Reader(read_bytes_async, keep_bytes_async, bytes_facts),
    "floor": FLOOR,
    "ours": giving(read_ours_async, result_facts),
    "limited": giving(read_limited_async, result_facts),
    "raw": looping_async(create, event_facts),
    "iter_text": looping_async(lambda client: iter_text(create(client)), lambda texts: {"text": "".join(texts)}),
    "iter_events": looping_async(lambda client: iter_events(create(client)), event_facts),
    "iter_tool_calls": looping_async(lambda client: iter_tool_calls(create(client)), call_facts),
    "collect": giving(lambda bench: collect(create(bench.client)), message_facts),
    "helper message": giving(helper_message_async, message_facts),
    "helper": giving(read_helper_async, result_facts),
    "helper events": looping_async(helper, helper_facts),
    "our events": looping_async(ours, helper_facts),
    "relay": sending_async(ours, to_sse, frame_facts),
    "helper as JSON": sending_async(helper, jsons_async, json_facts),
}
"""The same for an async client; the floor has nothing to await."""
