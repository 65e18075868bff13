"""The types of the accumulator's message and of what is counted.

Type-checked by mypy and pyright, both strict, and never run.
"""

from __future__ import annotations

from anthropic.types import Message, MessageParam, RawMessageStreamEvent
from anthropic.types.beta import BetaMessage, BetaRawMessageStreamEvent
from typing_extensions import assert_type

from claude_stream import Accumulator, Usage, UsageTally


def stable() -> None:
    """Without ``beta`` the message is a Message."""
    accumulator = Accumulator()
    assert_type(accumulator, Accumulator[Message])
    assert_type(accumulator.message, Message | None)
    assert_type(accumulator.result(), Message)
    assert_type(accumulator.usage, Usage)
    assert_type(accumulator.complete, bool)
    assert_type(accumulator.open_blocks, tuple[int, ...])
    assert_type(accumulator.to_param(), MessageParam | None)
    assert_type(Accumulator(beta=False), Accumulator[Message])


def beta() -> None:
    """With ``beta=True`` it is a BetaMessage."""
    accumulator = Accumulator(beta=True)
    assert_type(accumulator, Accumulator[BetaMessage])
    assert_type(accumulator.message, BetaMessage | None)
    assert_type(accumulator.result(), BetaMessage)


def named(flag: bool) -> None:
    """The type may be named: the SDK's beta events give a BetaMessage without being told to."""
    assert_type(Accumulator[BetaMessage]().result(), BetaMessage)
    annotated: Accumulator[BetaMessage] = Accumulator()
    assert_type(annotated.result(), BetaMessage)
    either: Accumulator[Message | BetaMessage] = Accumulator(beta=flag)
    assert_type(either.result(), Message | BetaMessage)


def unsubscripted(accumulator: Accumulator) -> None:
    """The bare name, in an annotation, means the stable one."""
    assert_type(accumulator.result(), Message)


def feeding(event: RawMessageStreamEvent, beta_event: BetaRawMessageStreamEvent) -> None:
    """It is fed with events of the SDK and with dicts."""
    accumulator = Accumulator()
    accumulator.feed(event)
    accumulator.feed(beta_event)
    accumulator.feed({"type": "message_stop"})


def tally(message: Message, beta_message: BetaMessage) -> None:
    """Messages and accumulators of both kinds are counted, and tallies added."""
    usage = UsageTally()
    usage.add(message)
    usage.add(beta_message)
    usage.add(Accumulator())
    usage.add(Accumulator(beta=True))
    assert_type(usage.total, Usage)
    assert_type(usage.by_model, dict[str, Usage])
    assert_type(usage + UsageTally(), UsageTally)
    assert_type(Usage() + Usage(), Usage)
    assert_type(usage.total.final, bool)
