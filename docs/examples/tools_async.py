"""Run tools while the answer is still arriving, on an async client."""

import asyncio
from typing import Any

from claude_stream import ToolInputError, iter_tool_calls
from claude_stream.testing import Recording, async_replay_client, message_events


def get_weather(city: str) -> str:
    """Return a forecast."""
    return f"Sunny in {city}"


async def main() -> None:
    """Answer the tool calls of one turn."""
    # A recorded answer stands in for the API; with a key, use `anthropic.AsyncAnthropic()`.
    answer = message_events("Let me see.", ("get_weather", {"city": "Paris"}), ("get_weather", {"city": "Rome"}))
    client = async_replay_client(Recording.from_events(answer))
    request = client.messages.create(
        model="claude-sonnet-5-5",
        max_tokens=1024,
        messages=[{"role": "user", "content": "How is the weather in Paris and in Rome?"}],
        stream=True,
    )
    results: list[dict[str, Any]] = []
    try:
        async for call in iter_tool_calls(request):
            results.append({"type": "tool_result", "tool_use_id": call.id, "content": get_weather(**call.input)})
    except ToolInputError as error:
        print("cut or malformed, and not run:", error.tool_name, error.raw)
    for result in results:
        print(result["tool_use_id"], result["content"])


asyncio.run(main())
