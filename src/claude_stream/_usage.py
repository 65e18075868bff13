"""Tokens: what one message used, for which models, and what of it is billed.

The API's counts are cumulative: each one overwrites the one before, and a field that is null or
absent keeps its value. `output_tokens` in `message_start` is a placeholder, which is why `Usage`
says whether it is `final`. Top-level counts are those of the attempt that gave the message;
``iterations``, where the API sends them, are the truth about the bill.

Sources: https://platform.claude.com/docs/en/build-with-claude/streaming,
https://platform.claude.com/docs/en/build-with-claude/refusals-and-fallback, and the docstring of the SDK's `BetaUsage`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from typing_extensions import Self

from ._json import Wire, is_array, is_count, is_object

BILLED_REFUSALS = frozenset({"bio", "frontier_llm", "reasoning_extraction"})
"""The categories of refusals that are billed although nothing was put out; the guide says that they may change.

As of 2026-11-23, https://platform.claude.com/docs/en/build-with-claude/refusals-and-fallback.
"""

_NESTED = {
    "output_tokens_details.thinking_tokens": "thinking_tokens",
    "cache_creation.ephemeral_5m_input_tokens": "ephemeral_5m_input_tokens",
    "cache_creation.ephemeral_1h_input_tokens": "ephemeral_1h_input_tokens",
    "server_tool_use.web_search_requests": "web_search_requests",
    "server_tool_use.web_fetch_requests": "web_fetch_requests",
}
"""Where the API has a count, and its name here, if that is another."""

_COUNTS = (
    *("input_tokens", "output_tokens", "cache_creation_input_tokens", "cache_read_input_tokens"),
    *_NESTED.values(),
)
_LABELS = ("service_tier", "speed", "inference_geo")
_SERVER_TOOLS = "server_tool_use."


@dataclasses.dataclass(frozen=True)
class Usage:
    """Tokens that one message, or several together, used.

    All counts are whole tokens, or requests where the name says so. ``final`` is False as long as the counts may
    still grow, and ``output_tokens`` is then no more than a placeholder. Two of them can be added with ``+``, and many
    with ``sum(usages)``. Do not begin with an empty ``Usage()``: it is not final, so the sum is not, either.

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
    ephemeral_5m_input_tokens: int = 0
    """How many of the tokens written to the cache stay for 5 minutes. They have a price of their own."""
    ephemeral_1h_input_tokens: int = 0
    """How many of them stay for an hour."""
    web_search_requests: int = 0
    web_fetch_requests: int = 0
    other: Mapping[str, int] = dataclasses.field(default_factory=dict[str, int], hash=False)
    """Counts that are newer than this library, by the API's name, as in ``server_tool_use.code_requests``."""
    iterations: tuple[Iteration, ...] = ()
    """What each attempt and each turn used, where the API says so."""
    service_tier: str | None = None
    speed: str | None = None
    inference_geo: str | None = None
    free: bool = False
    """Whether this was refused before any output, for a reason under which the API bills nothing."""

    @property
    def total_input(self) -> int:
        """All input tokens: uncached, written to the cache, and read from it."""
        return self.input_tokens + self.cache_creation_input_tokens + self.cache_read_input_tokens

    @property
    def context_tokens(self) -> int:
        """The size of the context: all input of the last turn of a model, and never a sum of several."""
        turns = [entry for entry in self.iterations if entry.type in ("message", "fallback_message")]
        return (turns[-1].usage if turns else self).total_input

    @property
    def billed(self) -> Usage:
        """What is paid for: the sum of the iterations, where there are any, or else this.

        Iterations contain what the top-level counts leave out: compactions, other models, attempts that were
        refused. What the API does not bill is left out: an attempt that was refused before any output, unless its
        category is one of those that are billed, as of 2026-11-23 ``bio``, ``frontier_llm`` and
        ``reasoning_extraction``
        (https://platform.claude.com/docs/en/build-with-claude/refusals-and-fallback says that they may change).
        """
        if not (self.iterations or self.free):
            return self
        return _total([self._server_tools(), *(entry.usage for entry in self.iterations if not entry.usage.free)])

    def billed_by_model(self, model: str) -> dict[str, Usage]:
        """Return the same for each model that was billed.

        Args:
            model: the message's, which is billed for what names no other.
        """
        if not self.iterations:
            return {model: self.billed}
        parts: dict[str, list[Usage]] = {}
        for entry in self.iterations:
            if not entry.usage.free:
                parts.setdefault(entry.model or model, []).append(entry.usage)
        tools = self._server_tools()
        if tools.web_search_requests or tools.web_fetch_requests or tools.other or not parts:
            parts.setdefault(model, []).append(tools)
        return {name: _total(usages) for name, usages in parts.items()}

    def _server_tools(self) -> Usage:
        """Return what the server's tools did, which iterations do not contain."""
        return Usage(
            final=self.final,
            web_search_requests=self.web_search_requests,
            web_fetch_requests=self.web_fetch_requests,
            other={name: count for name, count in self.other.items() if name.startswith(_SERVER_TOOLS)},
            **self._fields(_LABELS),
        )

    def _fields(self, names: Iterable[str]) -> dict[str, Any]:
        return {name: getattr(self, name) for name in names}

    def __add__(self, other: Usage) -> Usage:
        if not isinstance(other, Usage):  # pyright: ignore[reportUnnecessaryIsInstance] - callers may be untyped
            return NotImplemented
        sums: dict[str, Any] = {name: mine + getattr(other, name) for name, mine in self._fields(_COUNTS).items()}
        labels: dict[str, Any] = {
            name: mine if mine == getattr(other, name) else None for name, mine in self._fields(_LABELS).items()
        }
        names = {**self.other, **other.other}
        divided = bool(self.iterations or other.iterations or self.free or other.free)
        return Usage(
            **sums,
            final=self.final and other.final,
            other={name: self.other.get(name, 0) + other.other.get(name, 0) for name in names},
            iterations=self._entries() + other._entries() if divided else (),
            **labels,
        )

    def _entries(self) -> tuple[Iteration, ...]:
        if self.iterations:
            return self.iterations
        others = {name: count for name, count in self.other.items() if not name.startswith(_SERVER_TOOLS)}
        alone = dataclasses.replace(self, web_search_requests=0, web_fetch_requests=0, other=others)
        return (Iteration("message", None, alone),)

    def __radd__(self, other: int) -> Usage:
        return self if other == 0 else NotImplemented  # so that sum() works without a start

    def __repr__(self) -> str:
        shown = ("input_tokens", "output_tokens", "final")
        fields = [(field, getattr(self, field.name)) for field in dataclasses.fields(self)]
        said = (f"{field.name}={value!r}" for field, value in fields if field.name in shown or value)
        return f"Usage({', '.join(said)})"

    @classmethod
    def from_wire(cls, usage: Mapping[str, Any], *, final: bool) -> Self:
        """Return the counts of the API's ``usage`` object; a count that is null or missing is 0."""
        found = dict(_counts(usage))
        known: dict[str, Any] = {name: found.pop(_PATHS[name], 0) for name in _COUNTS}
        labels: dict[str, Any] = {name: value for name in _LABELS if isinstance(value := usage.get(name), str)}
        iterations = usage.get("iterations")
        entries = [_iteration(entry, final) for entry in iterations if is_object(entry)] if is_array(iterations) else []
        return cls(**known, **labels, other=found, iterations=tuple(entries), final=final)

    @classmethod
    def of_message(cls, message: Wire, *, final: bool) -> Self:
        """Return the usage of a message, which says itself what of it is billed and to which model.

        Args:
            message: its JSON.
            final: whether it is complete.
        """
        counts = message.get("usage")
        usage = cls.from_wire(counts if is_object(counts) else {}, final=final)
        content = message.get("content")
        blocks = [block for block in content if is_object(block)] if is_array(content) else []
        fallbacks = [block for block in blocks if block.get("type") == "fallback"]
        refused = message.get("stop_reason") == "refusal" and len(blocks) == len(fallbacks)
        free = refused and _is_free(message.get("stop_details"))
        if not usage.iterations:
            return dataclasses.replace(usage, free=free)
        entries = _attributed(usage.iterations, fallbacks, message.get("model"))
        turns = [place for place, entry in enumerate(entries) if entry.type in ("message", "fallback_message")]
        if free and turns:
            entries[turns[-1]] = _freed(entries[turns[-1]])
        return dataclasses.replace(usage, iterations=tuple(entries))


_PATHS = {name: name for name in _COUNTS} | {name: path for path, name in _NESTED.items()}


@dataclasses.dataclass(frozen=True)
class Iteration:
    """What one attempt or one turn used, of those that made up a message.

    ``type`` is the API's: ``message`` for a turn of a model, ``compaction``, ``advisor_message`` or
    ``fallback_message``; new types may come. ``model`` is the one that is billed, if that is known.

    Example:
        >>> from claude_stream import Iteration, Usage
        >>> Iteration("compaction", None, Usage(input_tokens=180_000, output_tokens=1_000)).usage.total_input
        180000
    """

    type: str
    model: str | None
    usage: Usage


def _counts(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, int]]:
    for name, count in value.items():
        if is_count(count):
            yield prefix + name, count
        elif is_object(count):
            yield from _counts(count, f"{prefix}{name}.")


def _iteration(entry: Wire, final: bool) -> Iteration:
    kind, model = entry.get("type"), entry.get("model")
    return Iteration(
        kind if isinstance(kind, str) else "unknown",
        model if isinstance(model, str) else None,
        Usage.from_wire(entry, final=final),
    )


def _attributed(entries: Iterable[Iteration], fallbacks: list[Wire], model: Any) -> list[Iteration]:
    """Return the entries with the models that are billed for them, and those marked that are not billed.

    An entry without a model belongs to the model that the first fallback was from, if that fallback came after it.
    """
    found = list(entries)
    served = [place for place, entry in enumerate(found) if entry.type == "fallback_message"]
    last = served[-1] if served else -1
    categories = {_model_of(block, "from"): block.get("trigger") for block in reversed(fallbacks)}
    first = _model_of(fallbacks[0], "from") if fallbacks else None
    asked = model if isinstance(model, str) else None
    for place, entry in enumerate(found):
        owner = entry.model or (first if place < last and first else asked)
        declined = place < last and entry.type == "message" and entry.usage.output_tokens == 0
        free = declined and _is_free(categories.get(owner))
        found[place] = dataclasses.replace(_freed(entry) if free else entry, model=owner)
    return found


def _freed(entry: Iteration) -> Iteration:
    return dataclasses.replace(entry, usage=dataclasses.replace(entry.usage, free=True))


def _model_of(block: Wire, field: str) -> str | None:
    info = block.get(field)
    model = info.get("model") if is_object(info) else None
    return model if isinstance(model, str) else None


_NOT_SAID = object()


def _is_free(details: Any) -> bool:
    """Whether a refusal before any output is not billed. Where no category can be had, it is: null is one."""
    category = details.get("category", _NOT_SAID) if is_object(details) else _NOT_SAID
    return category is None or (isinstance(category, str) and category not in BILLED_REFUSALS)


def _total(usages: list[Usage]) -> Usage:
    first, *others = usages
    return sum(others, first)
