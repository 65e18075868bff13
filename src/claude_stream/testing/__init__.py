"""Replaying recorded streams through the real SDK client, with no network and no key.

>>> from claude_stream import iter_text
>>> from claude_stream.testing import replay_client
>>> client = replay_client("answer.sse")
>>> stream = client.messages.create(model="any", max_tokens=100, messages=[], stream=True)
>>> "".join(iter_text(stream))
'Hello, world!'
"""

from ._build import message_events
from ._clients import AsyncReplayClient, ClaudeReplay, ReplayClient, ReplayRequest, async_replay_client, replay_client
from ._record import record, recording_client
from ._recording import Recording
from ._replay import Replay, replay, sse_response

__all__ = [
    "AsyncReplayClient",
    "ClaudeReplay",
    "Recording",
    "Replay",
    "ReplayClient",
    "ReplayRequest",
    "async_replay_client",
    "message_events",
    "record",
    "recording_client",
    "replay",
    "replay_client",
    "sse_response",
]

# As in the package itself: pickles, tracebacks and help() name the place that users import from.
for _name in __all__:
    globals()[_name].__module__ = __name__
