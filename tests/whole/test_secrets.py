"""What docs/security.md says of texts, logs, reprs, pickles and relayed frames: none has a key or a header."""

from __future__ import annotations

import pickle
import traceback

import pytest

from claude_stream import StreamError, collect, open_stream, to_ndjson, to_sse
from claude_stream.testing import Recording, ReplayClient, message_events, replay_client

KEY, COOKIE = "sk-ant-s3cret", "session=s3cret"


def client(*bodies: list[dict[str, object]]) -> ReplayClient:
    """Return a client with a key, whose responses set a cookie."""
    recordings = [Recording(Recording.from_events(events).chunks, headers={"set-cookie": COOKIE}) for events in bodies]
    return replay_client(*recordings).with_options(api_key=KEY)


def failing() -> StreamError:
    failed = client(message_events("Hello", error="overloaded_error"))
    with pytest.raises(StreamError) as caught:
        collect(failed.messages.create(model="m", max_tokens=1, messages=[], stream=True))
    return caught.value


def test_a_live_error_holds_them() -> None:
    """So what is below means something, and the page says what not to do with one."""
    error = failing()
    assert any(KEY in value for value in error.request.headers.values())
    assert error.response.headers["set-cookie"] == COOKIE


def test_an_error_shows_none() -> None:
    """Not in its text, its repr, its traceback, its pickle, or the event that a client is told it by."""
    error = failing()
    shown = [str(error), repr(error), *traceback.format_exception(error), str(error.as_event())]
    assert "s3cret" not in "".join(shown)
    assert b"s3cret" not in pickle.dumps(error)


def test_a_stream_shows_none(caplog: pytest.LogCaptureFixture) -> None:
    """Not in its repr, before, within and behind, nor in what is logged of a restart."""
    asked = client(message_events(error="overloaded_error"), message_events("Hello"))
    manager = open_stream(asked, model="m", max_tokens=1, messages=[], restarts=1)
    with manager as stream:
        shown = [repr(manager), repr(stream), repr(stream.text_stream), stream.get_final_text(), repr(stream)]
    assert "restart 1 of 1" in caplog.text
    assert "s3cret" not in caplog.text + "".join(shown)


@pytest.mark.parametrize("relay", [to_sse, to_ndjson])
def test_a_relay_shows_none(relay: object, caplog: pytest.LogCaptureFixture) -> None:
    """Not in its frames, whose last one tells of the failure, and not in the text that is logged of it."""
    asked = client(message_events("Hello", error="overloaded_error"))
    frames = []
    try:
        for frame in relay(asked.messages.create(model="m", max_tokens=1, messages=[], stream=True)):
            frames.append(frame)
    except StreamError:
        assert relay is to_ndjson
    assert b"overloaded_error" in frames[-1]
    assert "overloaded_error" in caplog.text or relay is to_ndjson
    assert "s3cret" not in caplog.text + b"".join(frames).decode()
