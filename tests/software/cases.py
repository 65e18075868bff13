"""How each package is given a client, asked for a stream, and read.

The law: a function a package, named after it, plain enough to be copied. It takes a function that makes a client of a
class of the SDK's, and gives what the package handed out: the chunks of text, or the name and input of a tool call.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Callable, Iterator
from typing import Any

MakeClient = Callable[[Any], Any]
MODEL = "claude-sonnet-5-5"
QUESTION = "What is the weather in Paris?"


def instructor(make: MakeClient) -> Iterator[Any]:
    """`instructor.from_anthropic(client)`, a partial model: a tool call that grows."""
    import anthropic
    import instructor as package
    import pydantic

    class get_weather(pydantic.BaseModel):  # noqa: N801 - it is the name of the tool
        city: str

    client = package.from_anthropic(make(anthropic.Anthropic), mode=package.Mode.ANTHROPIC_TOOLS)
    question: Any = [{"role": "user", "content": QUESTION}]
    for partial in client.chat.completions.create_partial(
        model=MODEL, max_tokens=100, messages=question, response_model=get_weather, max_retries=0
    ):
        yield partial.city


def langchain(make: MakeClient) -> Iterator[Any]:
    """`ChatAnthropic.stream`, whose cached `_client` is ours."""
    import anthropic
    from langchain_anthropic import ChatAnthropic

    model: Any = ChatAnthropic(model_name=MODEL, api_key="x")
    model.__dict__["_client"] = make(anthropic.Anthropic)
    for chunk in model.stream(QUESTION):
        yield chunk.text
        for part in chunk.tool_call_chunks:
            yield part["name"] or part["args"]


def pydantic_ai(make: MakeClient) -> Iterator[Any]:
    """`AnthropicProvider(anthropic_client=client)`, and the deltas of `run_stream_events`."""
    import anthropic
    from pydantic_ai import Agent
    from pydantic_ai.models.anthropic import AnthropicModel
    from pydantic_ai.providers.anthropic import AnthropicProvider

    provider = AnthropicProvider(anthropic_client=make(anthropic.AsyncAnthropic))
    agent = Agent(AnthropicModel(MODEL, provider=provider))

    @agent.tool_plain
    def get_weather(city: str) -> str:
        return f"sunny in {city}"

    async def parts() -> AsyncIterable[str]:
        async with agent.run_stream_events(QUESTION) as events:
            async for event in events:
                if event.event_kind == "part_start" and event.part.part_kind == "text":
                    yield event.part.content
                elif event.event_kind == "part_delta" and event.delta.part_delta_kind == "text":
                    yield event.delta.content_delta
                elif event.event_kind == "function_tool_call":
                    yield event.part.tool_name
                    yield event.part.args_as_json_str()

    yield from _all(parts())


def llm(make: MakeClient) -> Iterator[Any]:
    """The plugin `llm-anthropic`, in whose module the class `Anthropic` makes ours."""
    import anthropic
    import llm as package
    import llm_anthropic

    llm_anthropic.Anthropic = lambda **_: make(anthropic.Anthropic)
    model = package.get_model("claude-sonnet-4.5")
    model.key = "x"
    response = model.prompt(QUESTION, stream=True)
    yield from response
    for call in response.tool_calls():
        yield call.name
        yield str(call.arguments)


def strands(make: MakeClient) -> Iterator[Any]:
    """`AnthropicModel`, whose `client` is ours."""
    import anthropic
    from strands.models.anthropic import AnthropicModel

    model = AnthropicModel(client_args={"api_key": "x"}, model_id=MODEL, max_tokens=100)
    model.client = make(anthropic.AsyncAnthropic)

    async def parts() -> AsyncIterable[str]:
        question: Any = [{"role": "user", "content": [{"text": QUESTION}]}]
        async for event in model.stream(question):
            start = event.get("contentBlockStart", {}).get("start", {}).get("toolUse")
            delta = event.get("contentBlockDelta", {}).get("delta", {})
            if start:
                yield start["name"]
            if part := delta.get("text") or delta.get("toolUse", {}).get("input"):
                yield part

    yield from _all(parts())


def agno(make: MakeClient) -> Iterator[Any]:
    """`Claude(client=client)`, and `Agent.run(stream=True)`."""
    import anthropic
    from agno.agent import Agent
    from agno.models.anthropic import Claude

    def get_weather(city: str) -> str:
        return f"sunny in {city}"

    model = Claude(id=MODEL, client=make(anthropic.Anthropic), retries=0)
    agent = Agent(model=model, tools=[get_weather], telemetry=False)
    for event in agent.run(QUESTION, stream=True):
        if getattr(event, "event", None) == "RunError":
            raise RuntimeError(event.content)
        if getattr(event, "event", None) == "RunContent" and event.content:
            yield event.content


def llama_index(make: MakeClient) -> Iterator[Any]:
    """`Anthropic`, whose `_client` is ours."""
    import anthropic
    from llama_index.core.llms import ChatMessage
    from llama_index.llms.anthropic import Anthropic

    model = Anthropic(model="claude-sonnet-4-5", api_key="x")
    model._client = make(anthropic.Anthropic)
    for chunk in model.stream_chat([ChatMessage(role="user", content=QUESTION)]):
        yield chunk.delta


def _all(chunks: AsyncIterable[Any]) -> Iterator[Any]:
    """Read all there is, and then fail as it did, so that what came first is seen."""

    async def read() -> tuple[list[Any], Exception | None]:
        came: list[Any] = []
        try:
            async for chunk in chunks:
                came.append(chunk)
        except Exception as exc:
            return came, exc
        return came, None

    came, failed = asyncio.run(read())
    yield from came
    if failed is not None:
        raise failed
