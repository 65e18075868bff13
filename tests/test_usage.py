"""Token counts of one message, and what of them is billed, to which model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from claude_stream import Accumulator, Iteration, Usage, collect, from_sse, iter_text
from claude_stream.testing import message_events


@pytest.mark.parametrize(
    "usage",
    [
        {},
        {"input_tokens": None, "output_tokens_details": None},
        {"output_tokens": "many"},
        {"output_tokens_details": "many"},
        {"output_tokens": 10**5000, "server_tool_use": {"new_requests": -(10**5000)}},
    ],
)
def test_counts_that_are_missing_are_zero(usage: dict[str, Any]) -> None:
    """Null, missing and nonsensical counts are 0."""
    assert Usage.from_wire(usage, final=True) == Usage(final=True)


def test_every_count_is_read() -> None:
    """The counts of the API's usage object, and their sum on the way in."""
    wire = {
        "input_tokens": 1,
        "output_tokens": 2,
        "cache_creation_input_tokens": 3,
        "cache_read_input_tokens": 4,
        "output_tokens_details": {"thinking_tokens": 5},
    }
    usage = Usage.from_wire(wire, final=True)
    assert usage == Usage(1, 2, 3, 4, 5, final=True)
    assert usage.total_input == 8


def test_usages_add_up() -> None:
    """The sum is final only if both are."""
    assert Usage(1, 2, 3, 4, 5, final=True) + Usage(1, 1, 1, 1, 1) == Usage(2, 3, 4, 5, 6)
    assert (Usage(final=True) + Usage(final=True)).final
    assert sum([Usage(1, final=True), Usage(2, final=True)]) == Usage(3, final=True)
    with pytest.raises(TypeError):
        _ = 1 + Usage()


# -- what is billed: each figure is worked out by hand from the counts in front of it --

A, B, C = "claude-a", "claude-b", "claude-c"
EXPLANATION = Path(__file__).parents[1] / "docs" / "explanation.md"


def entry(kind: str, tokens_in: int, tokens_out: int, model: str | None = None, **more: Any) -> dict[str, Any]:
    return {
        "type": kind,
        "input_tokens": tokens_in,
        "output_tokens": tokens_out,
        **({"model": model} if model else {}),
        **more,
    }


def fallback(source: str, to: str, **trigger: Any) -> dict[str, Any]:
    return {"type": "fallback", "from": {"model": source}, "to": {"model": to}, "trigger": trigger}


def of_message(
    *content: dict[str, Any], model: str = A, stop_reason: str = "end_turn", details: Any = None, **usage: Any
) -> Usage:
    message = {"model": model, "content": list(content), "stop_reason": stop_reason, "stop_details": details}
    return Usage.of_message({**message, "usage": usage}, final=True)


TEXT = {"type": "text", "text": "Hi"}

# What was sent, what is billed by model as (input, output), and the size of the context.
BILLS: dict[str, tuple[Usage, dict[str, tuple[int, int]], int]] = {
    "no iterations": (of_message(TEXT, input_tokens=10, output_tokens=5), {A: (10, 5)}, 10),
    "one turn": (
        of_message(TEXT, input_tokens=10, output_tokens=5, iterations=[entry("message", 10, 5)]),
        {A: (10, 5)},
        10,
    ),
    "turns of a server tool's loop": (
        of_message(
            TEXT, input_tokens=30, output_tokens=12, iterations=[entry("message", 10, 5), entry("message", 20, 7)]
        ),
        {A: (30, 12)},
        20,
    ),
    "compaction": (
        of_message(
            TEXT,
            input_tokens=900,
            output_tokens=40,
            iterations=[entry("compaction", 180_000, 3_000), entry("message", 900, 40)],
        ),
        {A: (180_900, 3_040)},
        900,
    ),
    "compaction last": (
        of_message(
            {"type": "compaction", "content": "..."},
            stop_reason="compaction",
            input_tokens=900,
            output_tokens=40,
            iterations=[entry("message", 900, 40), entry("compaction", 180_000, 3_000)],
        ),
        {A: (180_900, 3_040)},
        900,
    ),
    "advisor": (
        of_message(
            TEXT,
            input_tokens=50,
            output_tokens=10,
            iterations=[entry("message", 20, 4), entry("advisor_message", 700, 90, C), entry("message", 30, 6)],
        ),
        {A: (50, 10), C: (700, 90)},
        30,
    ),
    "fallback before output, of a kind that is free": (
        of_message(
            fallback(A, B, type="refusal", category="cyber"),
            TEXT,
            model=B,
            input_tokens=12,
            output_tokens=8,
            iterations=[entry("message", 11, 0), entry("fallback_message", 12, 8, B)],
        ),
        {B: (12, 8)},
        12,
    ),
    "fallback before output, no category": (
        of_message(
            fallback(A, B, type="refusal", category=None),
            TEXT,
            model=B,
            input_tokens=12,
            output_tokens=8,
            iterations=[entry("message", 11, 0, A), entry("fallback_message", 12, 8, B)],
        ),
        {B: (12, 8)},
        12,
    ),
    "fallback before output, of a kind that is billed": (
        of_message(
            fallback(A, B, type="refusal", category="bio"),
            TEXT,
            model=B,
            input_tokens=12,
            output_tokens=8,
            iterations=[entry("message", 11, 0), entry("fallback_message", 12, 8, B)],
        ),
        {A: (11, 0), B: (12, 8)},
        12,
    ),
    "fallback before output, nothing said of why": (
        of_message(
            fallback(A, B),
            TEXT,
            model=B,
            input_tokens=12,
            output_tokens=8,
            iterations=[entry("message", 11, 0), entry("fallback_message", 12, 8, B)],
        ),
        {A: (11, 0), B: (12, 8)},
        12,
    ),
    "fallback in the middle": (
        of_message(
            TEXT,
            fallback(A, B, type="refusal", category="cyber"),
            TEXT,
            model=B,
            input_tokens=40,
            output_tokens=8,
            iterations=[entry("message", 11, 30), entry("fallback_message", 40, 8, B)],
        ),
        {A: (11, 30), B: (40, 8)},
        40,
    ),
    "two fallbacks": (
        of_message(
            fallback(A, B, type="refusal", category="cyber"),
            fallback(B, C, type="refusal", category="frontier_llm"),
            TEXT,
            model=C,
            input_tokens=13,
            output_tokens=8,
            iterations=[entry("message", 11, 0), entry("message", 12, 0, B), entry("fallback_message", 13, 8, C)],
        ),
        {B: (12, 0), C: (13, 8)},
        13,
    ),
    "fallback that was refused, too": (
        of_message(
            fallback(A, B, type="refusal", category="cyber"),
            model=B,
            stop_reason="refusal",
            details={"category": "cyber"},
            input_tokens=12,
            output_tokens=0,
            iterations=[entry("message", 11, 0), entry("fallback_message", 12, 0, B)],
        ),
        {B: (0, 0)},
        12,
    ),
    "refused before output, free": (
        of_message(stop_reason="refusal", details={"category": "cyber"}, input_tokens=412, output_tokens=0),
        {A: (0, 0)},
        412,
    ),
    "refused before output, category null": (
        of_message(stop_reason="refusal", details={"category": None}, input_tokens=412, output_tokens=0),
        {A: (0, 0)},
        412,
    ),
    "refused before output, billed": (
        of_message(stop_reason="refusal", details={"category": "bio"}, input_tokens=412, output_tokens=0),
        {A: (412, 0)},
        412,
    ),
    "refused before output, no details": (
        of_message(stop_reason="refusal", input_tokens=412, output_tokens=0),
        {A: (412, 0)},
        412,
    ),
    "refused in the middle": (
        of_message(TEXT, stop_reason="refusal", details={"category": "cyber"}, input_tokens=412, output_tokens=9),
        {A: (412, 9)},
        412,
    ),
}


def row_of(name: str) -> str:
    """Return the line of docs/explanation.md that tells of a case."""
    usage, by_model, context = BILLS[name]
    bill = "; ".join(
        f"`{model}` {tokens_in} in, {tokens_out} out" for model, (tokens_in, tokens_out) in by_model.items()
    )
    return f"| {name} | {usage.input_tokens} in, {usage.output_tokens} out | {bill} | {context} |"


@pytest.mark.parametrize("name", BILLS)
def test_what_is_billed_is_in_the_documentation(name: str) -> None:
    """With the same figures."""
    assert row_of(name) in EXPLANATION.read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("name", BILLS)
def test_what_is_billed(name: str) -> None:
    """To each model what it was asked for, refused attempts by their category, compactions always."""
    usage, by_model, context = BILLS[name]
    billed = usage.billed_by_model(B if B in by_model and A not in by_model else C if C in by_model else A)
    assert {model: (one.input_tokens, one.output_tokens) for model, one in billed.items()} == by_model
    assert usage.billed.input_tokens == sum(tokens for tokens, _ in by_model.values())
    assert usage.billed.output_tokens == sum(tokens for _, tokens in by_model.values())
    assert usage.context_tokens == context
    assert usage.billed.final
    assert usage.billed.billed == usage.billed


@pytest.mark.parametrize("one", BILLS)
@pytest.mark.parametrize("other", ["no iterations", "compaction", "refused before output, free"])
def test_the_bill_of_a_sum_is_the_sum_of_the_bills(one: str, other: str) -> None:
    """Adding usage up loses nothing, whichever of the two has iterations."""
    first, second = BILLS[one][0], BILLS[other][0]
    assert (first + second).billed == first.billed + second.billed
    assert (second + first).billed == first.billed + second.billed
    assert sum([first, second]) == first + second


def test_what_servers_tools_did_is_billed_once() -> None:
    """It stands at the top only, and iterations are about tokens."""
    usage = of_message(
        TEXT,
        input_tokens=30,
        output_tokens=12,
        cache_creation={"ephemeral_1h_input_tokens": 7},
        server_tool_use={"web_search_requests": 2, "web_fetch_requests": 1, "dream_requests": 4},
        moons=9,
        iterations=[entry("message", 10, 5), entry("message", 20, 7, cache_creation={"ephemeral_1h_input_tokens": 7})],
    )
    expected = Usage(
        input_tokens=30,
        output_tokens=12,
        ephemeral_1h_input_tokens=7,
        web_search_requests=2,
        web_fetch_requests=1,
        other={"server_tool_use.dream_requests": 4},
        final=True,
    )
    assert usage.billed == expected
    assert usage.billed_by_model(A) == {A: expected}
    assert (usage + usage).billed == expected + expected
    assert usage.other == {"server_tool_use.dream_requests": 4, "moons": 9}


def test_labels_are_kept_and_never_added() -> None:
    """What is true of both is true of the sum."""
    one = of_message(TEXT, input_tokens=1, service_tier="standard", inference_geo="us", speed="fast")
    other = of_message(TEXT, input_tokens=2, service_tier="standard", inference_geo="eu")
    assert (one.service_tier, one.inference_geo, one.speed) == ("standard", "us", "fast")
    both = one + other
    assert (both.input_tokens, both.service_tier, both.inference_geo, both.speed) == (3, "standard", None, None)


def test_counts_that_are_new_are_kept_and_added() -> None:
    """By the API's name for them."""
    usage = Usage.from_wire({"moons": 2, "deep": {"er": {"suns": 3}}, "true": True, "list": [1]}, final=True)
    assert usage.other == {"moons": 2, "deep.er.suns": 3}
    assert (usage + Usage(other={"moons": 1, "stars": 1})).other == {"moons": 3, "deep.er.suns": 3, "stars": 1}
    with pytest.raises(TypeError):
        _ = usage + 3


def test_iterations_are_replaced_whole() -> None:
    """Those that came with message_start are void as soon as a message_delta brings usage."""
    start, *rest = message_events("Hi", usage={"input_tokens": 10, "output_tokens": 5})
    start["message"]["usage"]["iterations"] = [entry("message", 11, 0)]
    delta = rest[-2]
    expected = Usage.from_wire({"input_tokens": 10, "output_tokens": 5}, final=True)
    assert usage_of([start, *rest]) == expected
    assert collect([start, *rest]).usage.to_dict() == collect([*message_events("Hi")[:1], *rest]).usage.to_dict()
    assert usage_of([start, *rest[:-2]]).iterations[0].usage.input_tokens == 11
    late = {**delta, "usage": {**delta["usage"], "iterations": [entry("message", 12, 5)]}}
    last = {**delta, "usage": {"output_tokens": 6}}
    found = usage_of([start, *rest[:-2], late, last, rest[-1]])
    assert [each.usage.input_tokens for each in found.iterations] == [12]
    assert found.output_tokens == 6


def usage_of(events: list[Any]) -> Usage:
    accumulator = Accumulator()
    for event in events:
        accumulator.feed(event)
    return accumulator.usage


@pytest.mark.parametrize("iterations", ["many", [1, None], [{"type": [], "model": {}, "input_tokens": "x"}], None])
def test_iterations_of_an_odd_shape(iterations: Any) -> None:
    """They end in no error; what can be counted is."""
    usage = of_message(TEXT, input_tokens=3, iterations=iterations)
    assert usage.input_tokens == 3
    assert all(each == Iteration("unknown", A, Usage(final=True)) for each in usage.iterations)


@pytest.mark.parametrize("block", ["text", {"type": "fallback"}, {"type": "fallback", "from": "x", "trigger": "y"}])
def test_a_fallback_of_an_odd_shape(block: Any) -> None:
    """Where nothing can be attributed, everything counts."""
    usage = of_message(block, input_tokens=3, iterations=[entry("message", 11, 0), entry("fallback_message", 12, 8, B)])
    assert usage.billed.input_tokens == 23


def test_how_usage_is_shown() -> None:
    """What is zero is left out, but for the counts that everybody looks for."""
    assert repr(Usage()) == "Usage(input_tokens=0, output_tokens=0, final=False)"
    usage = of_message(TEXT, input_tokens=3, output_tokens=1, service_tier="standard")
    assert repr(usage) == "Usage(input_tokens=3, output_tokens=1, final=True, service_tier='standard')"
    assert hash(usage) == hash(of_message(TEXT, input_tokens=3, output_tokens=1, service_tier="standard"))


# -- recordings --

# The counts of recordings that have iterations, by the ID of the message: read off the last message_delta, and added
# up by hand: input, output, read from the cache; and the context.
RECORDED = {"msg_011CduoCRono7pFKoTWpPAia": ((281, 91, 55_096), 181)}


def test_recorded_iterations(recorded_body: bytes) -> None:
    """What the API recorded is billed as it says."""
    reader = iter_text(from_sse([recorded_body]))
    reader.read()
    usage, billed = reader.usage, reader.usage.billed
    if not usage.iterations:
        assert billed == usage
        return
    counts = (billed.input_tokens, billed.output_tokens, billed.cache_read_input_tokens)
    assert (counts, usage.context_tokens) == RECORDED[reader.result().id]


def test_a_category_of_any_shape() -> None:
    """What is no string is no category, and the attempt counts."""
    events = message_events(stop_reason="refusal")
    events[-2]["delta"]["stop_details"] = {"category": ["cyber"]}
    accumulator: Accumulator = Accumulator()
    for event in events:
        accumulator.feed(event)
    assert accumulator.usage.billed.total_input == 10
