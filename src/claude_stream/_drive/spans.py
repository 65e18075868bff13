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


def show_message_to(observer: Any, builder: MessageBuilder) -> None:
    """Let the span of a traced call have the message so far, as the SDK's helper does, or what an older SDK takes.

    That is the token usage, from the SDK's own objects alone.
    """
    share = getattr(getattr(observer, "inner", None), "share_snapshot", None)
    if share is not None:
        share(lambda: builder.message)
        return
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
