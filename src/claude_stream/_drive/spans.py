"""The spans of calls that the SDK traces: what they are told, where the SDK knows less than we do.

The law: a span ends as the message does. It is the SDK's own, and begins and ends where the SDK has it.
"""

from __future__ import annotations

import contextlib
from typing import Any

from .._errors import StreamProtocolError
from .._json import OBJECT
from .._steps.builder import MessageBuilder
from .._wire.events import to_event

_WITH_USAGE = ("message_start", "content_block_start", "message_delta")  # what a span's usage is put together from


def stream_observer(response: Any) -> Any:
    """Return what ends the span of a call that the SDK traces, or None if it does not trace this one."""
    return getattr(getattr(response, "stream", None), "stream_observer", None)


def show_usage_to(observer: Any, builder: MessageBuilder) -> None:
    """Let the span of a traced call have the token usage, which the SDK takes from its own objects alone."""
    show = observer.item

    def item(event: Any) -> None:
        if type(event) is OBJECT and event.get("type") in _WITH_USAGE:
            with contextlib.suppress(StreamProtocolError):  # which is for the reader to learn of
                event = to_event(event, beta=builder.beta)
        show(event)

    observer.item = item


def end_by_contract(observer: Any, builder: MessageBuilder) -> None:
    """Let the span of a traced call end as the message does: the SDK knows less about what is complete."""
    end = observer.end

    def end_as_it_ended(how: str, error: BaseException | None = None) -> None:
        if builder.guard.stopped:
            how, error = "read", None  # a fault behind message_stop changes nothing
        elif builder.guard.complete and how == "read":
            how = "closed"  # whole without message_stop: neither an error, nor the end that the SDK waits for
        end(how, error)

    observer.end = end_as_it_ended
