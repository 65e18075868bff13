"""Words, lines, sentences and pieces of the user's own: where they end, however the text arrives and breaks off."""

# ruff: noqa: RUF001 - characters that look like others are what some of these tests are about

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_stream import (
    StopReasonError,
    StreamConnectionError,
    StreamError,
    StreamOverloadedError,
    StreamProtocolError,
    StreamTimeoutError,
    StreamTruncatedError,
    ensure_finished,
    from_sse,
    iter_events,
    iter_text,
    iter_thinking,
    tap,
    to_sse,
    with_restarts,
)
from claude_stream._drive.pipeline import Options, drive
from claude_stream._drive.timeouts import Limits
from claude_stream._steps import units
from claude_stream.testing import Recording, message_events
from tests.clocks import Timeless
from tests.faults import BODIES, error_event
from tests.support import (
    ASYNC_MODES,
    MODES,
    SYNC_MODE,
    AsyncItems,
    Mode,
    OwnError,
    assert_same_error_again,
    body_of,
    delta,
    failing,
    in_every_mode,
    read,
    streaming,
    wire_events,
)

HELD = message_events("Wait. Let me che", chunk=5)  # "Wait." leaves with the space behind it
OPEN, CLOSED = HELD[:6], HELD[:7]  # all its text, and its block's end


def events_of(*chunks: str, block: str = "text") -> list[dict[str, Any]]:
    """Return a message of one block whose deltas are these chunks."""
    start, opened, _, *rest = message_events({"type": block, block: "-", "signature": "c2ln"})
    rest = [event for event in rest if event.get("delta", {}).get("type") != "signature_delta"]
    deltas = [delta(0, type=f"{block}_delta", **{block: chunk}) for chunk in chunks]
    return [start, opened, *deltas, *rest]


def characters(event: dict[str, Any]) -> list[dict[str, Any]]:
    """Return an event as several, if it is a delta of text or thinking: one for each character."""
    fields = event.get("delta", {})
    for name in ("text", "thinking"):
        if fields.get("type") == f"{name}_delta":
            return [{**event, "delta": {**fields, name: character}} for character in fields[name]]
    return [event]


def pieces(text: str, by: Any, max_length: int | None = None) -> list[str]:
    """Return the pieces of a text that arrives at once."""
    return list(iter_text(events_of(text), by=by, max_length=max_length))


# -- what is refused --


@pytest.mark.parametrize(
    ("options", "error", "reason"),
    [
        ({"by": "sentences"}, ValueError, r"by='sentences' is none of 'line', 'sentence', 'word'.*re\.compile"),
        ({"by": r"\n\n"}, ValueError, r"re\.compile"),
        ({"by": 5}, TypeError, "by=5 is no name of a unit, compiled pattern or function"),
        ({"by": b"word"}, TypeError, "by=b'word'"),
        ({"by": re.compile(b"x")}, TypeError, "a pattern of bytes"),
        ({"by": re.compile("")}, ValueError, "matches the empty string"),
        ({"by": re.compile(r"\s*")}, ValueError, r"'\\\\s\*'\) matches the empty string"),
        ({"by": re.compile("x|$")}, ValueError, "matches the empty string"),
        ({"by": re.compile("(?!x)")}, ValueError, "matches the empty string"),
        ({"by": "word", "max_length": 0}, ValueError, "max_length=0 leaves no piece"),
        ({"by": "word", "max_length": -1}, ValueError, "max_length=-1 leaves no piece"),
        ({"by": "word", "max_length": 8.0}, TypeError, "max_length=8.0 is no number of characters"),
        ({"by": "word", "max_length": True}, TypeError, "max_length=True"),
        ({"max_length": 80}, TypeError, "no by="),
        ({"max_length": 0}, ValueError, "max_length=0"),
    ],
    ids=repr,
)
def test_options_that_make_no_sense(options: dict[str, Any], error: type[Exception], reason: str) -> None:
    """They are refused at the call, and the error says which one and why."""
    for function in (iter_text, iter_thinking):
        with pytest.raises(error, match=reason):
            function(HELD, **options)


@pytest.mark.parametrize(
    ("answer", "error", "reason"),
    [
        (0, ValueError, "gave 0 for a text of 7 characters: a piece has from 1 to 7"),
        (-1, ValueError, "gave -1"),
        (8, ValueError, "gave 8 for a text of 7"),
        (3.0, TypeError, "gave 3.0: it has to give the length of the next piece, or None"),
        ("Wait.", TypeError, "gave 'Wait.'"),
        (True, TypeError, "gave True"),
        (OwnError("mine"), OwnError, "mine"),
    ],
    ids=repr,
)
def test_a_function_that_fails(mode: Mode, answer: Any, error: type[Exception], reason: str) -> None:
    """What it cut before is handed out, then the rest of what came, and then an error that names it; it comes again."""

    def splitter(text: str) -> Any:
        if len(text) == 1:
            return 1 if text in "abc" else None
        if len(text) < 7:
            return None
        if isinstance(answer, Exception):
            raise answer
        return answer

    def make() -> Any:
        return iter_text(mode.source(events_of("ab", "cdefghijklmno", "never")), by=splitter)

    outcome = mode.read(make)
    assert outcome.items == ["a", "b", "c", "defghijklmno"]
    assert type(outcome.error) is error
    assert re.search(reason, str(outcome.error))
    assert error is OwnError or "splitter" in str(outcome.error)
    assert_same_error_again(mode, make, error)


def test_what_a_function_failed_on_is_no_longer_than_allowed(mode: Mode) -> None:
    """The rest is cut like any other piece."""

    def splitter(text: str) -> int:
        raise OwnError(text)

    outcome = mode.read(lambda: iter_text(mode.source(events_of("abcdefgh")), by=splitter, max_length=3))
    assert outcome.items == ["abc", "def", "gh"]
    assert isinstance(outcome.error, OwnError)


# -- streams that break --


def broken(mode: Mode) -> dict[str, tuple[Callable[[], Any], type[Exception]]]:
    """Return sources that break behind `OPEN`, and what they raise."""

    def observer(event: Any) -> None:
        if event.type == "content_block_stop":
            raise OwnError

    limit = [*HELD[:-2], {**HELD[-2], "delta": {"stop_reason": "max_tokens"}}, HELD[-1]]
    body = body_of(OPEN)
    return {
        "cut": (lambda: mode.source(OPEN), StreamTruncatedError),
        "cut bytes": (lambda: from_sse(mode.source([body])), StreamTruncatedError),
        "cut body": (lambda: mode.stream(body), StreamTruncatedError),
        "reset": (lambda: mode.stream(Recording.from_bytes(body).reset(after=len(OPEN))), StreamConnectionError),
        "transport": (
            lambda: from_sse(mode.source(failing(ConnectionResetError(), [body]))),
            StreamConnectionError,
        ),
        "error event": (lambda: mode.source([*OPEN, error_event("overloaded_error")]), StreamOverloadedError),
        "error in one chunk": (
            lambda: from_sse(mode.source([body_of([*OPEN, error_event("overloaded_error")])])),
            StreamOverloadedError,
        ),
        "order": (lambda: mode.source([*OPEN, delta(7, type="text_delta", text="!")]), StreamProtocolError),
        "the user's source": (lambda: mode.source(failing(OwnError(), OPEN)), OwnError),
        "stage": (lambda: tap(iter_events(mode.source(OPEN))), StreamTruncatedError),
        "observer": (lambda: tap(mode.source(HELD), observer), OwnError),
        "stop reason": (lambda: ensure_finished(mode.source(limit)), StopReasonError),
        "restarts": (lambda: with_restarts(lambda: mode.source(OPEN)), StreamTruncatedError),
    }


@pytest.mark.parametrize("kind", broken(Mode("sync")))
def test_what_is_held_back_goes_out_in_front_of_the_error(mode: Mode, kind: str) -> None:
    """An error overtakes nothing that was received, whoever raises it, and comes again at each further read."""
    make, error = broken(mode)[kind]
    outcome = mode.read(lambda: iter_text(make(), by="sentence"))
    assert outcome.items == ["Wait.", " Let me che"]
    assert type(outcome.error) is error
    assert_same_error_again(mode, lambda: iter_text(broken(mode)[kind][0](), by="sentence"), error)


def test_a_timeout(timeless: Timeless) -> None:
    """It is an error like any other."""

    def make() -> Any:
        pings = [part for _ in range(20) for part in (0.1, {"type": "ping"})]
        limits = Limits(idle=1.0, clock=timeless.clock)
        return drive(timeless.paced(*OPEN, *pings, *HELD[6:]), options=Options(events=True, limits=limits))

    outcome = timeless.read(lambda: iter_text(make(), by="sentence"))
    assert outcome.items == ["Wait.", " Let me che"]
    assert isinstance(outcome.error, StreamTimeoutError)


@pytest.mark.parametrize("fault", BODIES)
def test_no_fault_loses_text(mode: Mode, fault: str) -> None:
    """Whatever is wrong with a body, the pieces are the text that comes without units, and the error is the same."""
    plain = mode.read(lambda: iter_text(from_sse(mode.source([BODIES[fault]]))))
    cut = mode.read(lambda: iter_text(from_sse(mode.source([BODIES[fault]])), by="word"))
    assert "".join(cut.items) == "".join(plain.items)
    assert type(cut.error) is type(plain.error)


@SYNC_MODE
def test_reading_to_the_end_in_one_go(mode: Mode) -> None:
    """`result` raises the error, whatever is held back."""
    with pytest.raises(StreamTruncatedError):
        iter_text(mode.source(OPEN), by="sentence").result()
    assert iter_text(mode.source(HELD), by="sentence").result().stop_reason == "end_turn"


# -- closes --


@in_every_mode
async def test_after_a_close_nothing_is_handed_out(mode: Mode) -> None:
    """The reader that is closed gives no rest, which its text and the error's message have."""
    reader = iter_text(mode.source(HELD), by="sentence")
    outcome = await read(reader, lambda _: reader.aclose() if mode.is_async else reader.close())
    assert outcome.items == ["Wait."]
    assert isinstance(outcome.error, StreamConnectionError)
    assert reader.text == outcome.error.partial.content[0].text == "Wait. Let "


@ASYNC_MODES
def test_the_stop_button_of_a_task(mode: Mode) -> None:
    """A task that waits for more is ended at once, by the error and by no piece."""

    class Silent(AsyncItems):
        async def __anext__(self) -> Any:
            try:
                return await super().__anext__()
            except StopAsyncIteration:
                await anyio.sleep_forever()

    async def main() -> None:
        reader = iter_text(Silent(OPEN), by="sentence")
        async with anyio.create_task_group() as group:

            async def stop() -> None:
                while reader.text != "Wait. Let me che":
                    await anyio.lowlevel.checkpoint()
                await anyio.wait_all_tasks_blocked()
                await reader.aclose()

            group.start_soon(stop)
            outcome = await read(reader)
        assert outcome.items == ["Wait."]
        assert isinstance(outcome.error, StreamConnectionError)

    mode.run(main)


# -- where pieces end --

SENTENCES: dict[str, list[str]] = {
    "Hello. There": ["Hello.", " There"],
    "Hello! There? Yes.": ["Hello!", " There?", " Yes."],
    "Hello!!! There": ["Hello!!!", " There"],
    "What?! No": ["What?!", " No"],
    "no end": ["no end"],
    "Hello.There": ["Hello.There"],
    # no terminators
    "It is 3.14, not 3. 15": ["It is 3.14, not 3.", " 15"],
    "It runs v1.2. Good": ["It runs v1.2.", " Good"],
    "see a.b.c or ../x": ["see a.b.c or ../x"],
    # known to be too simple
    "e.g. this": ["e.g.", " this"],
    "Dr. Who": ["Dr.", " Who"],
    "1. One": ["1.", " One"],
    "He said. he": ["He said.", " he"],
    # ellipses
    "Wait...": ["Wait..."],
    "Wait... what": ["Wait... what"],
    "Wait.... what": ["Wait.... what"],
    "Wait… what": ["Wait… what"],
    "Wait…. what": ["Wait…. what"],
    "Wait...! What": ["Wait...!", " What"],
    "Wait...\nWhat": ["Wait...\n", "What"],
    "Wait…\nWhat": ["Wait…\n", "What"],
    '"Wait..." he said': ['"Wait..." he said'],
    # what closes
    '"Hello." There': ['"Hello."', " There"],
    "(Hello.) There": ["(Hello.)", " There"],
    "«Hello.» There": ["«Hello.»", " There"],
    "“Hello.” There": ["“Hello.”", " There"],
    "‘Hello.’ There": ["‘Hello.’", " There"],
    "„Hallo.“ Da": ["„Hallo.“", " Da"],
    "»Hallo.« Da": ["»Hallo.«", " Da"],
    "“(Hello.”)’)]}』 There": ["“(Hello.”)’)]}』", " There"],
    '"Hello." "There"': ['"Hello."', ' "There"'],
    "Hello.”)There": ["Hello.”)There"],
    "..). There": ["..).", " There"],
    f"Hello.{')' * 8} There": [f"Hello.{')' * 8}", " There"],
    f"Wait..{')' * 8} what": [f"Wait..{')' * 8} what"],
    f"Hello.{')' * 9} There": [f"Hello.{')' * 9} There"],
    "Wow\u203c\ufe0f There": ["Wow\u203c\ufe0f", " There"],
    # no white space needed
    "你好。再见": ["你好。", "再见"],
    "你好！再见？好｡": ["你好！", "再见？", "好｡"],
    "你好。 再见": ["你好。", " 再见"],
    "什么？！真的": ["什么？！", "真的"],
    "什么?!真的。": ["什么?!真的。"],
    "「你好。」他说": ["「你好。」", "他说"],
    "（真的吗？）他说": ["（真的吗？）", "他说"],
    "“你好。”他说": ["“你好。”", "他说"],
    "你好。“再见。”": ["你好。", "“再见。”"],
    "你好。）“再见。": ["你好。）", "“再见。"],
    "你好。\n再见": ["你好。\n", "再见"],
    "你好。\r\n再见": ["你好。\r\n", "再见"],
    "你好……再见": ["你好……再见"],
    "約３．１４です．はい": ["約３．１４です．", "はい"],
    # other scripts
    "क्या? हाँ। ठीक": ["क्या?", " हाँ।", " ठीक"],
    "ما هذا؟ نعم": ["ما هذا؟", " نعم"],
    # lines
    "Title\nText": ["Title\n", "Text"],
    "Hello.\n\nThere": ["Hello.\n", "\n", "There"],
    "Hello.\r\nThere": ["Hello.\r\n", "There"],
    "Hello.\rThere": ["Hello.", "\rThere"],
    "Hello.\r": ["Hello.\r"],
    "Hello. \nThere": ["Hello.", " \n", "There"],
    # white space
    "Hello.\tThere": ["Hello.", "\tThere"],
    "Hello.\u2003There": ["Hello.", "\u2003There"],
    "Hello.\u00a0There": ["Hello.\u00a0There"],
    "z.\u202fB. so": ["z.\u202fB.", " so"],
    "Quoi\u202f! Vraiment": ["Quoi\u202f!", " Vraiment"],
    "Hello.\u200bThere": ["Hello.\u200bThere"],
    "  Hello.  There ": ["  Hello.", "  There "],
    # more than one code point a character
    "Hello.\u0301 There": ["Hello.\u0301 There"],
    "Yes! 👩‍👩‍👧 No": ["Yes!", " 👩‍👩‍👧 No"],
    "Half \ud83d! \ude00": ["Half \ud83d!", " \ude00"],
}
WORDS: dict[str, list[str]] = {
    "Hello world": ["Hello", " world"],
    "  Hello \t world  ": ["  Hello", " \t world", "  "],
    "Hello\nworld": ["Hello\n", "world"],
    "Hello\r\nworld\r": ["Hello\r\n", "world\r"],
    "Hello \r\n\nworld": ["Hello", " \r\n", "\n", "world"],
    "Hello\rworld": ["Hello", "\rworld"],
    "Hello\r\r\nworld": ["Hello", "\r\r\n", "world"],
    "10\u00a0000 \u00a0 km": ["10\u00a0000", " \u00a0", " km"],
    "Hello, world!": ["Hello,", " world!"],
    "你好 再见": ["你好", " 再见"],
    "e\u0301 e": ["e\u0301", " e"],
    "👩‍👩‍👧 👍🏽": ["👩‍👩‍👧", " 👍🏽"],
    "one\u2028two": ["one", "\u2028two"],
}
LINES: dict[str, list[str]] = {
    "one\ntwo": ["one\n", "two"],
    "one\r\n\r\ntwo\r\n": ["one\r\n", "\r\n", "two\r\n"],
    "one\rtwo\u2028three\x0bfour\x85": ["one\rtwo\u2028three\x0bfour\x85"],
    "\n\n": ["\n", "\n"],
}
TABLE = [
    pytest.param(by, text, expected, id=f"{by} {text!a}")
    for by, rows in (("sentence", SENTENCES), ("word", WORDS), ("line", LINES))
    for text, expected in rows.items()
]


@pytest.mark.parametrize(("by", "text", "expected"), TABLE)
def test_the_table(by: Any, text: str, expected: list[str]) -> None:
    """Each text has these pieces, whether it comes at once, by characters, or cut in two anywhere."""
    assert "".join(expected) == text
    assert pieces(text, by) == expected
    assert list(iter_text(events_of(*text), by=by)) == expected
    for middle in range(1, len(text)):
        assert list(iter_text(events_of(text[:middle], text[middle:]), by=by)) == expected


PATTERNS: list[tuple[str, str, list[str]]] = [
    (r"\n\n+", "one\n\n\ntwo\nthree", ["one\n\n\n", "two\nthree"]),
    (r"[.!?]\s", "One. Two! x", ["One. ", "Two! ", "x"]),
    (r"-", "a-b--c-", ["a-", "b-", "-", "c-"]),
    (r"x", "aaa", ["aaa"]),
    (r"foo\b", "foot foo, foo", ["foot foo", ", foo"]),
    (r"\.(?!\d)", "3.5. 6", ["3.5.", " 6"]),
    (r"\.(?=\s+[A-Z])", "e.g. this. That", ["e.g. this.", " That"]),
    (r"(?<=,)\s", "a b, c", ["a b, ", "c"]),
    (r"^#+ ", "# a\n# b", ["# ", "a\n# b"]),
    (r"a.*b", "a b b", ["a b", " b"]),
    (r"a.*b|c", "a c b", ["a c", " b"]),
    (r"b$", "ab\nb", ["ab", "\nb"]),
    (r"b\Z", "ab\nb", ["ab\nb"]),
    # places: an empty match ends what is in front of it
    (r"(?=[A-Z])", "oneTwoThree", ["one", "Two", "Three"]),
    (r"(?<=\.)(?=\s)", "One. Two.", ["One.", " Two."]),
    (r"\b", "Oh no", ["Oh", " ", "no"]),
]


@pytest.mark.parametrize(("pattern", "text", "expected"), PATTERNS)
def test_a_pattern(pattern: str, text: str, expected: list[str]) -> None:
    """A piece ends where a match does that more text, come character by character, has not changed."""
    for middle in range(1, len(text)):
        assert list(iter_text(events_of(text[:middle], text[middle:]), by=re.compile(pattern))) == expected
    assert pieces(text, re.compile(pattern)) == expected


FUNCTIONS: dict[str, Callable[[str], int | None]] = {
    "up to a comma": lambda text: text.find(",") + 1 or None,
    "up to the last comma": lambda text: text.rfind(",") + 1 or None,
    "all, once it ends in a comma": lambda text: len(text) if text.endswith(",") else None,
    "all, once there are five": lambda text: len(text) if len(text) >= 5 else None,
    "two of five": lambda text: 2 if len(text) >= 5 else None,
    "never": lambda _: None,
    "always": lambda _: 1,
}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("up to a comma", ["ab,", "cdefgh,", ",", "i"]),
        ("up to the last comma", ["ab,", "cdefgh,", ",", "i"]),
        ("all, once it ends in a comma", ["ab,", "cdefgh,", ",", "i"]),
        ("all, once there are five", ["ab,cd", "efgh,", ",i"]),
        ("two of five", ["ab", ",c", "de", "fg", "h,,i"]),
        ("never", ["ab,cdefgh,,i"]),
        ("always", list("ab,cdefgh,,i")),
    ],
)
def test_a_function(name: str, expected: list[str]) -> None:
    """It sees the piece grow character by character, however the text arrives."""
    text = "ab,cdefgh,,i"
    for middle in range(1, len(text)):
        assert list(iter_text(events_of(text[:middle], text[middle:]), by=FUNCTIONS[name])) == expected
    assert pieces(text, FUNCTIONS[name]) == expected


@pytest.mark.parametrize(
    ("by", "text", "max_length", "expected"),
    [
        ("word", "abcdefgh ij", 3, ["abc", "def", "gh", " ij"]),
        ("word", "abc def", 3, ["abc", " de", "f"]),
        ("word", "abc def", 4, ["abc", " def"]),
        ("line", "abc\nde", 4, ["abc\n", "de"]),
        ("line", "abc\r\nde", 4, ["abc\r", "\n", "de"]),
        ("sentence", "Hello. There", 6, ["Hello.", " There"]),
        ("sentence", "Hello. There", 5, ["Hello", ".", " Ther", "e"]),
        ("sentence", "你好。再见", 3, ["你好。", "再见"]),
        ("sentence", "e\u0301!", 1, ["e", "\u0301", "!"]),
        ("word", "abc\rd", 4, ["abc", "\rd"]),
        (re.compile("--"), "abc--d", 5, ["abc--", "d"]),
        (re.compile("--"), "abc--d", 4, ["abc-", "-d"]),
        (FUNCTIONS["never"], "abcdefg", 3, ["abc", "def", "g"]),
        (FUNCTIONS["two of five"], "abcdefg", 3, ["abc", "def", "g"]),
    ],
)
def test_a_piece_that_gets_too_long(by: Any, text: str, max_length: int, expected: list[str]) -> None:
    """It is cut exactly at the limit, and the rule goes on as if it had not been."""
    assert pieces(text, by, max_length) == expected
    assert list(iter_text(events_of(*text), by=by, max_length=max_length)) == expected


SPLITTERS: dict[str, Any] = {
    **{name: name for name in ("word", "line", "sentence")},
    **{pattern: re.compile(pattern) for pattern, *_ in PATTERNS},
    **FUNCTIONS,
}
MARKS = st.text(st.sampled_from("ab1.!?…。！．」”“)\"'\r\n \u00a0\u0301\ud83d"))


@given(
    st.lists(MARKS, min_size=1, max_size=12),
    st.sampled_from(sorted(SPLITTERS)),
    st.none() | st.integers(1, 12),
)
def test_pieces_do_not_depend_on_how_the_text_arrives(chunks: list[str], name: str, max_length: int | None) -> None:
    """Nothing is lost, nothing is empty or too long, and any other way of arriving gives the same, in all modes."""
    text, by = "".join(chunks), SPLITTERS[name]
    at_once = pieces(text, by, max_length)
    assert "".join(at_once) == text
    assert all(0 < len(piece) <= (max_length or len(text)) for piece in at_once)
    for mode in map(Mode, MODES):
        source = events_of(*chunks)
        found = mode.read(lambda mode=mode, source=source: iter_text(mode.source(source), by=by, max_length=max_length))
        assert (found.items, found.error) == (at_once, None)
    assert list(iter_text(events_of(*text), by=by, max_length=max_length)) == at_once


@pytest.mark.parametrize("name", ["word", "line", "sentence", r"\n\n+", "up to a comma"])
def test_a_recorded_body(recorded_body: bytes, name: str) -> None:
    """What the API really sends loses nothing, and its chunks make no difference."""
    for function in (iter_text, iter_thinking):
        text = "".join(function(from_sse([recorded_body])))
        found = list(function(from_sse([recorded_body]), by=SPLITTERS[name], max_length=200))
        assert "".join(found) == text
        events = [event for delta in wire_events(recorded_body) for event in characters(delta)]
        assert list(function(events, by=SPLITTERS[name], max_length=200)) == found


# -- when they leave --


def sent_with(chunks: list[str], by: Any, **options: Any) -> list[list[str]]:
    """Return the pieces that leave with each of the chunks, and last those that come behind them."""
    asked: list[int] = []

    def source() -> Iterator[Any]:
        start, opened, *deltas = events_of(*chunks)
        yield from (start, opened)
        for event in deltas[: len(chunks)]:
            asked.append(0)
            yield event
        asked.append(0)
        yield from deltas[len(chunks) :]

    sent: list[list[str]] = [[] for _ in range(len(chunks) + 1)]
    for piece in iter_text(source(), by=by, **options):
        sent[len(asked) - 1].append(piece)
    return sent


@pytest.mark.parametrize(
    ("by", "chunks", "expected"),
    [
        ("word", ["He", "llo", " ", "world", "!"], [[], [], ["Hello"], [], [], [" world!"]]),
        ("line", ["one", "\n", "two"], [[], ["one\n"], [], ["two"]]),
        ("word", ["one", "\r", "\n"], [[], [], ["one\r\n"], []]),
        ("sentence", ["Hello", ".", ")", " ", "There"], [[], [], [], ["Hello.)"], [], [" There"]]),
        ("sentence", ["Hello.", "\n"], [[], ["Hello.\n"], []]),
        ("sentence", ["你好。", "再", "见"], [[], ["你好。"], [], ["再见"]]),
        ("sentence", ["One. Two. Three", " ."], [["One.", " Two."], [], [" Three ."]]),
        (re.compile("--"), ["a-", "-", "b"], [[], [], ["a--"], ["b"]]),
        (FUNCTIONS["up to a comma"], ["a", "b,", "c"], [[], ["ab,"], [], ["c"]]),
    ],
)
def test_a_piece_leaves_once_it_is_certain(by: Any, chunks: list[str], expected: list[list[str]]) -> None:
    """It is handed out before the source is asked for more."""
    assert sent_with(chunks, by) == expected


def test_a_piece_that_is_cut_leaves_at_once() -> None:
    """What reaches the limit is not kept waiting, so that no more than the limit is ever held."""
    assert sent_with(["abc", "d", "efgh"], "word", max_length=4) == [[], ["abcd"], ["efgh"], []]


# -- blocks --


def test_a_piece_ends_with_its_block(mode: Mode) -> None:
    """What is said in front of a tool call does not wait for the call."""
    asked: list[str] = []

    def events() -> Iterator[Any]:
        for event in message_events("Let me check.", ("tool", {"a": 1})):
            asked.append(event["type"])
            yield event

    outcome = mode.read(lambda: iter_text(mode.source(events()), by="sentence"))
    assert outcome.items == ["Let me check."]
    assert asked[-1] == "message_stop"
    asked.clear()
    if not mode.is_async:
        assert next(iter_text(events(), by="sentence")) == "Let me check."
        assert asked[-1] == "content_block_stop"


@pytest.mark.parametrize("by", ["line", "word", "sentence"])
@pytest.mark.parametrize("text", ["a\r", "\r", "\n\r", "X y.\r", "The X factor."])
def test_the_rest_of_a_block_is_not_lost(by: Any, text: str) -> None:
    """Also if it ends in half a line end."""
    assert "".join(iter_text(message_events(text), by=by)) == text


def test_a_letter_ends_no_sentence() -> None:
    """Only a mark that ends sentences does."""
    assert list(iter_text(message_events("The X factor. X XX !"), by="sentence")) == ["The X factor.", " X XX !"]
    assert list(iter_text(message_events("A.X b! c X?X d"), by="sentence")) == ["A.X b!", " c X?X d"]
    assert list(iter_text(message_events("XA \u3002X"), by="sentence")) == ["XA \u3002", "X"]


def test_a_block_that_is_never_closed(mode: Mode) -> None:
    """A message that is whole all the same gives the rest at its end."""
    events = [event for event in HELD if event["type"] != "content_block_stop"]
    outcome = mode.read(lambda: iter_text(mode.source(events), by="sentence"))
    assert (outcome.items, outcome.error) == (["Wait.", " Let me che"], None)


@pytest.mark.parametrize(
    ("separator", "expected"),
    [
        ("", ["One.", "Two.", "Three."]),
        (" ", ["One.", " ", " Two.", " Three."]),
        ("\n\n", ["One.", "\n", "\n", "\n", "\n", "Two.", "\n", "\n", "Three."]),
        (". ", ["One.", ".", " ", ".", " Two.", ".", " Three."]),
    ],
)
def test_a_separator_begins_what_is_behind_it(mode: Mode, separator: str, expected: list[str]) -> None:
    """It is text of the block behind it, which may be empty; the block in front has ended already."""
    events = message_events("One.", ("tool", {}), "", "Two.", "Three.")
    outcome = mode.read(lambda: iter_text(mode.source(events), separator=separator, by="sentence"))
    assert outcome.items == expected
    assert "".join(outcome.items) == separator.join(["One.", "", "Two.", "Three."])


def test_two_blocks_at_the_same_time(mode: Mode) -> None:
    """Should the API ever send that, a piece ends where the other block goes on; text is in the order of arrival."""
    start, opened, *_, stopped, tail, stop = message_events("-")
    first, second = {**opened, "index": 0}, {**opened, "index": 1}
    deltas = [delta(index, type="text_delta", text=text) for index, text in ((0, "On"), (1, "Tw"), (0, "e "), (1, "o"))]
    events = [start, first, second, *deltas, {**stopped, "index": 0}, {**stopped, "index": 1}, tail, stop]
    assert mode.read(lambda: iter_text(mode.source(events), by="word")).items == ["On", "Tw", "e", " ", "o"]


def test_other_blocks_are_none_of_its_business(mode: Mode) -> None:
    """The end of a block of thinking ends no piece of text, and the other way round."""
    thinking = {"type": "thinking", "thinking": "Hm. Yes", "signature": "c2ln"}
    events = message_events(thinking, "One. Two")
    assert mode.read(lambda: iter_text(mode.source(events), by="sentence")).items == ["One.", " Two"]
    assert mode.read(lambda: iter_thinking(mode.source(events), by="sentence")).items == ["Hm.", " Yes"]
    cut = mode.read(lambda: iter_thinking(mode.source(events[:3]), by="line", max_length=3))
    assert cut.items == ["Hm.", " Ye", "s"]
    inner = [*OPEN, {"type": "content_block_start", "index": 1, "content_block": {**thinking, "thinking": ""}}]
    inner += [{"type": "content_block_stop", "index": 1}, delta(0, type="text_delta", text="ck.")]
    outcome = mode.read(lambda: iter_text(mode.source([*inner, *HELD[6:]]), by="sentence"))
    assert outcome.items == ["Wait.", " Let me check."]


def test_text_that_blocks_and_messages_start_with(mode: Mode) -> None:
    """It is cut like any other; the blocks of message_start are whole."""
    start, opened, *_, stopped, tail, stop = message_events("-")
    start["message"]["content"] = [{"type": "text", "text": "One. Two"}, {"type": "text", "text": "Three. Four"}]
    opened.update(index=2, content_block={"type": "text", "text": "Five. S"})
    events = [start, opened, delta(2, type="text_delta", text="ix"), {**stopped, "index": 2}, tail, stop]
    found = mode.read(lambda: iter_text(mode.source(events), by="sentence")).items
    assert found == ["One.", " Two", "Three.", " Four", "Five.", " Six"]


# -- readers --


@in_every_mode
async def test_the_text_of_a_reader_has_what_is_held_back(mode: Mode) -> None:
    """It is the transcript so far: all that was received."""
    reader = iter_text(mode.source(HELD), by="sentence")
    texts: list[str] = []
    outcome = await read(reader, lambda _: texts.append(reader.text))
    assert texts == ["Wait. Let ", "Wait. Let me che"]
    assert outcome.items == ["Wait.", " Let me che"]


@in_every_mode
async def test_over_an_open_stream(mode: Mode) -> None:
    """Any stream of ours is a source, and what joins late begins in the middle of a block."""
    client = mode.client(Recording.from_events(message_events("One two three", chunk=4)))
    async with streaming(client) as stream:
        chunks = stream.text_stream
        assert [await anext(chunks) if mode.is_async else next(chunks)] == ["One "]
        assert (await read(iter_text(stream, by="word"))).items == ["two", " three"]


@pytest.mark.parametrize(("read", "block"), [(iter_text, "text"), (iter_thinking, "thinking")])
def test_how_a_relay_shows_pieces(mode: Mode, read: Any, block: str) -> None:
    """Its frames have the name that those of the chunks have."""
    frames = mode.read(lambda: to_sse(read(mode.source(events_of("One two", block=block)), by="word"))).items
    assert [frame.split(b"\n")[1].decode() for frame in frames] == [f"event: {block}"] * 2 + ["event: done"]


# -- cost --


class Counting:
    """A rule that counts the characters it is given."""

    def __init__(self, rule: re.Pattern[str]) -> None:
        self._rule = rule
        self.characters = 0

    def finditer(self, text: str) -> Iterator[re.Match[str]]:
        self.characters += len(text)
        return self._rule.finditer(text)


class Joining(units.Text):
    """A string under construction that counts the characters that it hands out."""

    characters = 0

    def __str__(self) -> str:
        text = super().__str__()
        Joining.characters += len(text)
        return text


@pytest.mark.parametrize("text", ["a" * 6, "." * 6, ")" * 6, "?!.)。」"])
@pytest.mark.parametrize("by", ["word", "line", "sentence"])
def test_a_long_piece_costs_what_it_is_long(monkeypatch: pytest.MonkeyPatch, by: str, text: str) -> None:
    """No character is looked at or moved again for each delta behind it, where no piece ends in many of them."""
    count = 20_000
    monkeypatch.setattr(units, "Text", Joining)
    monkeypatch.setattr(Joining, "characters", 0)
    rule = Counting(units._ENDS[by])
    cutter = units._Scanning(rule, 10**6)
    for _ in range(count):
        assert cutter.feed(text) == []
    assert [len(piece) for piece in cutter.end()] == [len(text) * count]
    assert rule.characters < 3 * len(text) * count
    assert Joining.characters == len(text) * count


def test_how_often_a_function_is_asked() -> None:
    """Once for each character, with the piece so far; a character is asked again only where a piece left it over."""
    asked: list[str] = []

    def splitter(text: str) -> int | None:
        asked.append(text)
        return 2 if len(text) == 3 else None

    assert pieces("abcde", splitter) == ["ab", "cd", "e"]
    assert asked == ["a", "ab", "abc", "c", "cd", "cde", "e"]


def test_a_broken_stream_says_what_it_is_all_the_same(mode: Mode) -> None:
    """The error has the message so far, with what was handed out last."""
    outcome = mode.read(lambda: iter_text(mode.source(OPEN), by="sentence"))
    assert isinstance(outcome.error, StreamError)
    assert outcome.error.partial.content[0].text == "".join(outcome.items)
