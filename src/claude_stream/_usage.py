"""Tokens: what one message used, and what many used together.

The API's counts are cumulative: each one overwrites the one before, and a field that is null or
absent keeps its value. `output_tokens` in `message_start` is a placeholder, which is why `Usage`
says whether it is `final`.

Source: https://docs.claude.com/en/docs/build-with-claude/streaming#event-types
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

import anthropic
from typing_extensions import Self

from ._json import is_object

if TYPE_CHECKING:
    from anthropic.types import Message
    from anthropic.types.beta import BetaMessage


@dataclasses.dataclass(frozen=True)
class Usage:
    """Tokens that one message, or several together, used.

    All counts are whole tokens. ``final`` is False as long as the counts may still grow, and
    ``output_tokens`` is then no more than a placeholder. Two of them can be added with ``+``.

    Example:
        >>> from claude_stream import Usage
        >>> Usage(input_tokens=10, cache_read_input_tokens=90, output_tokens=5, final=True).total_input
        100
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cache_creation_input_tokens: int = 0
    cache_read_input_tokens: int = 0
    thinking_tokens: int = 0
    """How many of the output tokens were spent on thinking, where the API says so."""
    final: bool = False

    @property
    def total_input(self) -> int:
        """All input tokens: uncached, written to the cache, and read from it."""
        return self.input_tokens + self.cache_creation_input_tokens + self.cache_read_input_tokens

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            cache_creation_input_tokens=self.cache_creation_input_tokens + other.cache_creation_input_tokens,
            cache_read_input_tokens=self.cache_read_input_tokens + other.cache_read_input_tokens,
            thinking_tokens=self.thinking_tokens + other.thinking_tokens,
            final=self.final and other.final,
        )

    def __radd__(self, other: int) -> Usage:
        return self if other == 0 else NotImplemented  # so that sum() works without a start

    @classmethod
    def from_wire(cls, usage: Mapping[str, Any], *, final: bool) -> Self:
        """Return the counts of the API's ``usage`` object; a count that is null or missing is 0."""

        def count(value: object) -> int:
            return value if isinstance(value, int) else 0

        details = usage.get("output_tokens_details")
        return cls(
            input_tokens=count(usage.get("input_tokens")),
            output_tokens=count(usage.get("output_tokens")),
            cache_creation_input_tokens=count(usage.get("cache_creation_input_tokens")),
            cache_read_input_tokens=count(usage.get("cache_read_input_tokens")),
            thinking_tokens=count(details.get("thinking_tokens")) if is_object(details) else 0,
            final=final,
        )


class _Accumulated(Protocol):
    @property
    def message(self) -> Message | BetaMessage | None: ...
    @property
    def usage(self) -> Usage: ...


class UsageTally:
    """Adds up the usage of many messages, each once.

    A message is known by its ``id``, so adding it again, or adding the accumulator that is still
    at work on it and later the message itself, replaces what it counted for before. Not safe to
    change from several threads at once.

    Example:
        >>> from claude_stream import UsageTally, collect
        >>> tally = UsageTally()
        >>> tally.add(collect(events))
        >>> tally.add(collect(events))  # the same message, which counts once
        >>> tally.total.output_tokens
        12
    """

    def __init__(self) -> None:
        self._by_id: dict[str, tuple[str, Usage]] = {}

    def add(self, item: Message | BetaMessage | _Accumulated, /) -> None:
        """Count a message, or an accumulator's message so far.

        A message that has no stop reason yet counts with ``final`` False. An accumulator that has
        seen no ``message_start`` counts for nothing.

        Raises:
            TypeError: if ``item`` is neither.
        """
        message: Any
        subject: Any = item
        if hasattr(subject, "stop_reason"):
            message = subject
            counts = getattr(message, "usage", None)
            wire = counts.to_dict(mode="json", warnings=False) if isinstance(counts, anthropic.BaseModel) else {}
            usage = Usage.from_wire(wire, final=subject.stop_reason is not None)
        elif isinstance(getattr(subject, "usage", None), Usage):
            message, usage = subject.message, subject.usage
        else:
            raise TypeError(f"add() takes a Message or an Accumulator, and this is a {type(item).__name__}")
        if message is not None:
            self._by_id[str(message.id)] = (str(message.model), usage)

    @property
    def total(self) -> Usage:
        """What all the messages used together; ``final`` if each of them was, and for none at all."""
        return sum((usage for _, usage in self._by_id.values()), Usage(final=True))

    @property
    def by_model(self) -> dict[str, Usage]:
        """The same for each model by itself, in the order in which the models came."""
        totals: dict[str, Usage] = {}
        for model, usage in self._by_id.values():
            totals[model] = totals[model] + usage if model in totals else usage
        return totals

    def __repr__(self) -> str:
        total, models = self.total, ", ".join(self.by_model) or "no model"
        state = "" if total.final else ", not final"
        counts = f"{total.total_input} tokens in, {total.output_tokens} out{state}"
        return f"<UsageTally: {len(self._by_id)} messages; {counts}; {models}>"

    def __add__(self, other: UsageTally) -> UsageTally:
        tally = UsageTally()
        tally._by_id = {**self._by_id, **other._by_id}
        return tally
