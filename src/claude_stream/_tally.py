"""What many messages cost together, each counted once.

The law: what is added is what is billed, to the model that is billed for it; and the order in which messages, and what
is known of them while they are on their way, are added changes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from anthropic.types import Message
from anthropic.types.beta import BetaMessage

from ._json import excerpt
from ._usage import Usage

if TYPE_CHECKING:
    from collections.abc import Hashable


class _Accumulated(Protocol):
    @property
    def message(self) -> Message | BetaMessage | None: ...
    @property
    def usage(self) -> Usage: ...


class UsageTally:
    """Adds up what is billed for many messages, each once.

    A message is known by its ``id``, so adding it again, or adding the reader that is still at work on it and later
    the message itself, counts it once: with its final counts, as soon as they are known. A message without an id
    counts each time. Not safe to change from several threads at once.

    Example:
        >>> from claude_stream import UsageTally, collect
        >>> tally = UsageTally()
        >>> tally.add(collect(events))
        >>> tally.add(collect(events))  # the same message, which counts once
        >>> tally.total.output_tokens
        12
    """

    def __init__(self) -> None:
        self._by_id: dict[Hashable, tuple[str, Usage]] = {}

    def add(self, item: Message | BetaMessage | _Accumulated, /) -> None:
        """Count a message, or the message so far of a reader, a stream or an accumulator.

        A message that has no stop reason yet counts with ``final`` False. What has seen no ``message_start``
        counts for nothing.

        Raises:
            TypeError: if ``item`` is nothing of the kind.
        """
        given: Any = item
        if isinstance(item, (Message, BetaMessage)):
            wire = item.to_dict(mode="json", warnings=False)
            self._count(item, Usage.of_message(wire, final=item.stop_reason is not None))
        elif isinstance(getattr(given, "usage", None), Usage) and hasattr(given, "message"):
            if given.message is not None:
                self._count(given.message, given.usage)
        else:
            raise TypeError(
                "add() takes a message, or a reader, a stream or an accumulator of this library, "
                f"and this is a {type(item).__name__}"
            )

    def _count(self, message: Any, usage: Usage) -> None:
        identifier, model = getattr(message, "id", None), message.model
        is_known = isinstance(identifier, str) and identifier
        self._keep(identifier if is_known else object(), model if isinstance(model, str) else excerpt(model), usage)

    def _keep(self, identifier: Hashable, model: str, usage: Usage) -> None:
        known = self._by_id.get(identifier)
        if known is None or _weight(known[1]) <= _weight(usage):
            self._by_id[identifier] = (model, usage)

    @property
    def total(self) -> Usage:
        """What all the messages cost together; ``final`` if each of them was, and for none at all."""
        bills = [usage.billed for _, usage in self._by_id.values()]
        return sum(bills[1:], bills[0]) if bills else Usage(final=True)

    @property
    def by_model(self) -> dict[str, Usage]:
        """The same for each model by itself, in the order in which the models came."""
        totals: dict[str, Usage] = {}
        for message_model, usage in self._by_id.values():
            for model, billed in usage.billed_by_model(message_model).items():
                totals[model] = totals[model] + billed if model in totals else billed
        return totals

    def __repr__(self) -> str:
        total, models = self.total, ", ".join(self.by_model) or "no model"
        state = "" if total.final else ", not final"
        counts = f"{total.total_input} tokens in, {total.output_tokens} out{state}"
        return f"<UsageTally: {len(self._by_id)} messages; {counts}; {models}>"

    def __add__(self, other: UsageTally) -> UsageTally:
        if not isinstance(other, UsageTally):  # pyright: ignore[reportUnnecessaryIsInstance] - callers may be untyped
            return NotImplemented
        tally = UsageTally()
        for part in (self, other):
            for identifier, (model, usage) in part._by_id.items():
                tally._keep(identifier, model, usage)
        return tally


def _weight(usage: Usage) -> tuple[bool, int, int]:
    """Return what is the greater for the later of two counts of one message: counts only grow."""
    return usage.final, usage.output_tokens, usage.total_input
