"""The fuzzing's section of docs/reliability.md.

The law: nothing stands in its table that was not counted in the run that writes it. What earlier runs found, and what
was mended then, is kept by hand, each with the test that holds it.
"""

from __future__ import annotations

import datetime as dt
import platform
from collections.abc import Sequence

import anthropic
import jiter
import pydantic

from tests.fuzz.run import Result

MENDED = {
    "a number of more than 4300 digits as the index of an event, or in an `error` event, was a `ValueError`": (
        "tests/steps/test_guard.py"
    ),
    "a `message_delta` whose `delta` brings `usage`, after iterations in `message_start`, was a `KeyError`": (
        "tests/steps/test_builder.py"
    ),
    "`citations` that are no list, in `content_block_start`, were a `TypeError` from `iter_parts`": (
        "tests/steps/test_parts.py"
    ),
    "a delta of a type of tomorrow that replaces a string was lost when more of it came": "tests/steps/test_block.py",
    "a snapshot went on showing the input of a tool call as it was before it turned out to be no JSON": (
        "tests/steps/test_builder.py"
    ),
    "`iter_parts` gave no tool calls where the stop reason `tool_use` came after another one": (
        "tests/steps/test_parts.py"
    ),
    "an `id` or a `model` that is an object was a `TypeError` from `UsageTally`": "tests/test_tally.py",
    "a `category` of a refusal that is a list was a `TypeError` from `usage`": "tests/test_usage.py",
    "a `message` that is `{}` in `message_start` was no message": "tests/steps/test_builder.py",
    "bytes that are half of a surrogate pair, and so no UTF-8, were mended when a recording was saved, and when another"
    " half stood in the same event as an escape": "tests/test_json.py, tests/testing/test_format.py",
    "a number of output tokens that no float holds was an `OverflowError` from `iter_progress`, and from a timer's"
    " `tokens_per_second`": "tests/steps/test_progress.py, tests/steps/test_timer.py",
    "one of more than 4300 digits was a `ValueError` from the `repr` of an accumulator, and of `Usage`": (
        "tests/steps/test_accumulator.py, tests/test_usage.py"
    ),
    "a signature that is an array was added to the one before, and did not replace it": "tests/steps/test_block.py",
    "an `id` of a server's tool call that is an object was a `TypeError` from `to_param`": "tests/steps/test_param.py",
}
"""What fuzzing found in 0.1, and the tests for it."""

_TEXT = """\
## Fuzzing

{date}, Python {python}, `anthropic` {sdk}, `pydantic` {pydantic}, `jiter` {jiter}, seed {seed}:
**{examples} examples in {minutes:.0f} minutes of one core, {red} different failures.** The command was `{command}`.
It takes 200 000 examples of each target, if it is not told otherwise.

An example is one of {seeds} streams, from the testing kit{recordings}, changed by up to five mutations that
know the grammar: events dropped, repeated, swapped and cut off; types, fields, indexes and numbers changed; strings cut
inside a surrogate pair; and, where bytes are read, other line ends, marks, comments, and damaged bytes. Events come as
dicts and as the SDK's objects. Of each example:

- nothing but the documented exceptions comes out, and what ended early does not look finished;
- the error's class, its `.partial`, the message, the text, the calls are those of a reference, which was written a
  second time from the API's documentation, and shares no code with the library;
- sync and asyncio give the same results, the same exception with the same words, the same partial;
- how a body is cut, and whether a decoder takes its short way, changes nothing; reading on gives the same end again.

Where an example has in it what only the SDK and the parsers can judge, such as NaN, five thousand levels of nesting or
a field called `_fields_set`, the reference is not asked.

| target | examples | seconds of one core | different failures |
|---|---|---|---|
{rows}

Put in on purpose, and found, each by the 200 examples of each target that the suite runs: a delta whose text is lost
when it begins with half of a surrogate pair; a partial that lacks its last block; an async reader that ends where a
sync one raises.

Found by it, or by reading the code around what it had found, and mended:

{mended}
{failures}"""


def section(results: Sequence[Result], *, seed: int, seeds: int, recordings: int, command: str) -> str:
    """Return the section for the results of a run."""
    rows = [f"| `{it.name}` | {it.examples} | {it.seconds:.0f} | {len(it.failures)} |" for it in results]
    found = [
        f"- `{result.name}`, example {each.number}: {each.what.splitlines()[0]:.200}"
        for result in results
        for each in result.failures
    ]
    return _TEXT.format(
        date=dt.datetime.now(dt.timezone.utc).date().isoformat(),
        python=platform.python_version(),
        sdk=anthropic.__version__,
        pydantic=pydantic.__version__,
        jiter=jiter.__version__,
        seed=seed,
        examples=sum(result.examples for result in results),
        minutes=sum(result.seconds for result in results) / 60,
        red=len(found),
        command=command,
        seeds=seeds,
        recordings=f" and {recordings} recordings" if recordings else "",
        rows="\n".join(rows),
        mended="\n".join(f"- {what} ({where});" for what, where in MENDED.items()),
        failures="\nFound, and not mended yet:\n\n" + "\n".join(found) + "\n" if found else "",
    )
