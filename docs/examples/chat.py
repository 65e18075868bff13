"""Show an answer while it arrives, and keep the message and its cost."""

from claude_stream import UsageTally, iter_text
from claude_stream.testing import Recording, message_events, replay_client

# A recorded answer stands in for the API; with a key, use `anthropic.Anthropic()`.
client = replay_client(Recording.from_events(message_events("Hello! How can I help?")))
tally = UsageTally()


def chat(question: str) -> str:
    """Print the answer to a question as it arrives, and return it."""
    stream = client.messages.create(
        model="claude-sonnet-5-5",
        max_tokens=1024,
        messages=[{"role": "user", "content": question}],
        stream=True,
    )
    with iter_text(stream) as answer:
        for chunk in answer:
            print(chunk, end="", flush=True)
    print()
    tally.add(answer.result())
    return answer.text


chat("Hello!")
print("tokens:", tally.total.total_input, "in,", tally.total.output_tokens, "out")
