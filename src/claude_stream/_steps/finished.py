"""Whether an answer was finished: neither cut at a limit nor refused.

The law: every event passes, and only then is the stop reason judged, so that nothing received is lost. What asks for
more (`pause_turn`, `compaction`), and a stop reason that is newer than this library, is no failure.
"""

from __future__ import annotations

from collections.abc import Iterable

from .._errors import RefusalError, StopReasonError
from .._json import Wire
from .._step import Step
from .builder import MessageBuilder

_CUT = {
    "max_tokens": "the answer was cut: it has reached max_tokens",
    "model_context_window_exceeded": "the answer was cut: the model's context window is full",
}


class Finished(Step[Wire, Wire]):
    """Wire dicts in, the same out, and a typed error behind the last one.

    Args:
        builder: the one that is fed before this step.
    """

    def __init__(self, builder: MessageBuilder) -> None:
        self._builder = builder

    def feed(self, item: Wire) -> Iterable[Wire]:
        """Let the event pass."""
        return (item,)

    def finish(self) -> Iterable[Wire]:
        """Refuse an answer that is no whole one."""
        stop_reason = self._builder.guard.stop_reason
        if stop_reason == "refusal":
            details = self._details()
            category = getattr(details, "category", None)
            what = f"the model refused to answer ({category})" if category else "the model refused to answer"
            raise RefusalError(what, stop_reason=stop_reason, stop_details=details)
        if stop_reason in _CUT:
            raise StopReasonError(_CUT[stop_reason], stop_reason=stop_reason, stop_details=self._details())
        return ()

    def _details(self) -> object:
        return getattr(self._builder.message, "stop_details", None)
