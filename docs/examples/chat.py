"""Show an answer while it arrives, and keep the message and its cost."""

from claude_stream import Accumulator, UsageTally, iter_text, tap
from claude_stream.testing import Recording, message_events, replay_client

# A recorded answer stands in for the API; with a key, use `anthropic.Anthropic()`.
client = replay_client(Recording.from_events(message_events("Hello! How can I help?")))
tally = UsageTally()


def chat(question: str) -> str:
    """Print the answer to a question as it arrives, and return it."""
    accumulator = Accumulator()
    with client.messages.create(
        model="claude-sonnet-5-5",
        max_tokens=1024,
        messages=[{"role": "user", "content": question}],
        stream=True,
    ) as stream:
        for chunk in iter_text(tap(stream, accumulator.feed)):
            print(chunk, end="", flush=True)
    print()
    message = accumulator.result()
    tally.add(message)
    return "".join(block.text for block in message.content if block.type == "text")


chat("Hello!")
print("tokens:", tally.total.total_input, "in,", tally.total.output_tokens, "out")
