"""Run the tools that the model asks for, and go on until the model needs no more, on an async client."""

import asyncio
from typing import Any

from claude_stream import ToolInputError, iter_tool_calls
from claude_stream.testing import Recording, async_replay_client, message_events

# Recorded answers stand in for the API; with a key, use `anthropic.AsyncAnthropic()`.
client = async_replay_client(
    Recording.from_events(message_events("Let me see.", ("get_weather", {"city": "Paris"}))),
    Recording.from_events(message_events("It is sunny in Paris.")),
)


def get_weather(city: str) -> str:
    """Return a forecast."""
    return f"Sunny in {city}"


async def main() -> None:
    """Answer tool calls until there are none."""
    messages: list[Any] = [{"role": "user", "content": "How is the weather in Paris?"}]
    while True:
        request = client.messages.create(model="claude-sonnet-5-5", max_tokens=1024, messages=messages, stream=True)
        results: list[dict[str, Any]] = []
        try:
            calls = iter_tool_calls(request)
            async for call in calls:
                forecast = get_weather(str(call.input["city"]))
                results.append({"type": "tool_result", "tool_use_id": call.id, "content": forecast})
        except ToolInputError as error:
            print("cut or malformed, and not run:", error.tool_name, error.raw)
            return
        if not results:
            print((await calls.result()).content[0])
            return
        messages += [calls.to_param(), {"role": "user", "content": results}]


asyncio.run(main())
