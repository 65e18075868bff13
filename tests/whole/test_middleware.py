"""The SDK's middleware for refusals, which splices the streams of several models together at the byte level."""

from __future__ import annotations

from typing import Any

import pytest

from claude_stream import UsageTally, iter_text, iter_tool_calls, open_stream, wrap_client
from claude_stream.testing import Recording, message_events
from tests.support import REQUEST, Either, Mode, by_hand, entered

middleware = pytest.importorskip("anthropic.lib.middleware", reason="this SDK has no middleware for refusals")

WEATHER = ("get_weather", {"city": "Paris"})


def refusal(*content: Any, category: str = "cyber", model: str = "claude-a") -> Recording:
    """Return the answer of a model that refuses, with a credit for the next one."""
    *events, delta, stop = message_events(
        *content, stop_reason="refusal", model=model, usage={"input_tokens": 11, "output_tokens": 3 if content else 0}
    )
    details = {"type": "refusal", "category": category, "fallback_credit_token": "credit"}
    delta["delta"]["stop_details"] = {**details, "fallback_has_prefill_claim": bool(content)}
    return Recording.from_events([*events, delta, stop])


ANSWER = Recording.from_events(
    message_events("take a pot.", WEATHER, model="claude-b", usage={"input_tokens": 20, "output_tokens": 8})
)


def client_of(mode: Mode, *recordings: Recording) -> Any:
    client = mode.client(*recordings)
    return client.with_options(middleware=[middleware.BetaRefusalFallbackMiddleware([{"model": "claude-b"}])])


def request(client: Any, way: str) -> Any:
    if way == "create":
        return client.beta.messages.create(**REQUEST, stream=True)
    if way == "open_stream":
        return open_stream(client.beta, **REQUEST)
    return wrap_client(client).beta.messages.stream(**REQUEST)


async def _read(client: Any, way: str) -> tuple[list[str], Any]:
    """Return the chunks of text, and what has read them."""
    given = request(client, way)
    if way == "create":
        reader = iter_text(given)
        return [chunk async for chunk in Either(reader)], reader
    async with entered(given) as stream:
        return [chunk async for chunk in Either(stream.text_stream)], stream


def read(mode: Mode, client: Any, way: str) -> tuple[list[str], Any]:
    return mode.run(lambda: _read(client, way)) if mode.is_async else by_hand(_read(client, way))


@pytest.mark.parametrize("way", ["create", "open_stream", "wrap_client"])
def test_a_refusal_in_the_middle(mode: Mode, way: str) -> None:
    """The text is one, the model is the one that finished, the bill has both, and old calls are void."""
    client = client_of(mode, refusal("First, ", WEATHER), ANSWER)
    chunks, reader = read(mode, client, way)
    assert "".join(chunks) == "First, take a pot."
    message = reader.message
    assert (message.model, message.stop_reason) == ("claude-b", "tool_use")
    kinds = [block.type for block in message.content]
    assert kinds.count("fallback") == 1
    place = kinds.index("fallback")
    assert kinds[place:] == ["fallback", "text", "tool_use"]
    calls = [block["type"] for block in reader.to_param()["content"]]
    assert calls == ["text", "fallback", "text", "tool_use"]
    tally = UsageTally()
    tally.add(reader)
    billed = {model: (usage.input_tokens, usage.output_tokens) for model, usage in tally.by_model.items()}
    assert billed == {REQUEST["model"]: (11, 3), "claude-b": (20, 8)}


@pytest.mark.parametrize("way", ["create", "open_stream", "wrap_client"])
@pytest.mark.parametrize(("category", "first"), [("cyber", {}), ("bio", {REQUEST["model"]: (11, 0)})])
def test_a_refusal_before_any_output(mode: Mode, way: str, category: str, first: dict[str, tuple[int, int]]) -> None:
    """It shows as a fallback in front of everything, and is billed by its category."""
    chunks, reader = read(mode, client_of(mode, refusal(category=category), ANSWER), way)
    assert "".join(chunks) == "take a pot."
    assert reader.message.content[0].type == "fallback"
    billed = reader.usage.billed_by_model(reader.message.model)
    found = {model: (usage.input_tokens, usage.output_tokens) for model, usage in billed.items()}
    assert found == {**first, "claude-b": (20, 8)}


def test_calls_of_the_model_that_finished(mode: Mode) -> None:
    """They alone are handed out."""
    client = client_of(mode, refusal("First, ", ("other", {"a": 1})), ANSWER)
    outcome = mode.read(lambda: iter_tool_calls(request(client, "create")))
    assert outcome.error is None
    assert [call.name for call in outcome.items] == ["get_weather"]
