"""The pytest plugin: in this process, and in one of its own beside a folder with recordings."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from claude_stream.testing import ClaudeReplay, Recording, message_events
from tests.support import PATIENCE

TESTS = """
import pytest
from claude_stream import StreamTruncatedError, collect, iter_text
from claude_stream.testing import message_events

REQUEST = {"model": "any", "max_tokens": 1, "messages": [], "stream": True}


def test_missing(claude_replay):
    claude_replay("nothing.sse")


def test_file(claude_replay):
    client = claude_replay("a.sse", "b.jsonl")
    for text in "Hello", "Bye":
        assert "".join(iter_text(client.messages.create(**REQUEST))) == text
    assert len(client.requests) == 2


def test_async(claude_replay):
    import anyio

    async def main():
        client = claude_replay.async_client("a.sse")
        return (await collect(client.messages.create(**REQUEST))).content[0].text

    assert anyio.run(main) == "Hello"


def test_recording(claude_replay):
    client = claude_replay(claude_replay.recording("a.sse").cut(after=3))
    with pytest.raises(StreamTruncatedError):
        collect(client.messages.create(**REQUEST))


def test_events(claude_replay):
    client = claude_replay(message_events("Hi"), speed=0)
    assert collect(client.messages.create(**REQUEST)).content[0].text == "Hi"


@pytest.fixture
def answer(claude_replay):
    return claude_replay("a.sse")


def test_in_a_fixture(answer):
    assert collect(answer.messages.create(**REQUEST)).content[0].text == "Hello"
"""


def run_pytest(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run pytest in a process and a folder of its own, with every plugin that is installed."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
    outside = {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"}  # those of this suite
    options = {"cwd": folder, "env": outside, "timeout": PATIENCE}
    return subprocess.run(command, **options, capture_output=True, text=True, check=False)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a project with a test file in a folder, and recordings beside it."""
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --strict-markers --strict-config\n")
    folder = tmp_path / "tests"
    (folder / "recordings").mkdir(parents=True)
    (folder / "test_it.py").write_text(TESTS)
    Recording.from_events(message_events("Hello")).save(folder / "recordings" / "a.sse")
    Recording.from_events(message_events("Bye")).save(folder / "recordings" / "b.jsonl")
    return tmp_path


@pytest.mark.process
@pytest.mark.slow
def test_recordings_lie_beside_the_test_file(project: Path) -> None:
    """The fixture finds recordings in that folder, from wherever pytest runs, and names a path that is missing."""
    done = run_pytest(project, "-W", "error", "-rf", "tests")
    assert "1 failed, 5 passed" in done.stdout, done.stdout
    assert "test_it.py::test_missing - FileNotFoundError" in done.stdout
    assert str(project / "tests" / "recordings" / "nothing.sse") in done.stdout


IDS = """
import os
import unittest

import pytest
from claude_stream import UsageTally, collect
from claude_stream.testing import message_events

MODULE = message_events("module")


def id_of(events):
    return events[0]["message"]["id"]


@pytest.fixture(scope="module")
def shared():
    return message_events("shared")


@pytest.fixture
def own():
    return message_events("own")


@pytest.mark.parametrize("events", [message_events("a"), message_events("b")])
def test_all_kinds(events, shared, own):
    mine = message_events("mine")
    assert (id_of(own), id_of(mine)) == ("msg_test_1", "msg_test_2")
    tally = UsageTally()
    for each in (MODULE, events, shared, own, mine):
        tally.add(collect(each))
    assert tally.total.output_tokens == 5 * 12


def test_own_first(own, shared):
    assert (id_of(own), id_of(message_events())) == ("msg_test_1", "msg_test_2")


def test_shared_first(shared, own):
    assert (id_of(own), id_of(message_events())) == ("msg_test_1", "msg_test_2")


class TestCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.shared = message_events("shared")

    def test_in_a_class(self):
        assert id_of(message_events()) == "msg_test_1" != id_of(self.shared)
"""

LAST_FIRST = """
def pytest_collection_modifyitems(items):
    items.reverse()


def pytest_runtest_logfinish():
    from claude_stream.testing import message_events

    assert message_events()[0]["message"]["id"].startswith("msg_built_"), "the test is over"
"""


@pytest.mark.process
@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "conftest"),
    [([], ""), ([], LAST_FIRST), (["-n", "2", "-k", "shared_first or events1"], "")],
    ids=["all", "last first", "some, in two workers"],
)
def test_ids_are_the_same_in_whatever_order_tests_run(project: Path, arguments: list[str], conftest: str) -> None:
    """A test counts its messages from 1, next to those of modules and of wider fixtures, whose ids are others."""
    (project / "conftest.py").write_text(conftest)
    (project / "tests" / "test_it.py").write_text(IDS)
    done = run_pytest(project, "-W", "error", *arguments, "tests")
    assert done.returncode == 0, done.stdout


@pytest.mark.process
@pytest.mark.slow
def test_without_the_plugin(project: Path) -> None:
    """Ids are counted for the process then, and each message still has its own."""
    (project / "tests" / "test_it.py").write_text(
        "from claude_stream.testing import message_events\n\n"
        "def test_it():\n"
        "    ids = [message_events()[0]['message']['id'] for _ in range(3)]\n"
        "    assert ids == ['msg_built_1', 'msg_built_2', 'msg_built_3']\n"
    )
    done = run_pytest(project, "-p", "no:claude_stream", "tests")
    assert done.returncode == 0, done.stdout


@pytest.mark.process
@pytest.mark.slow
def test_there_is_one_fixture(tmp_path: Path) -> None:
    """`pytest --fixtures` shows one of ours, and says what it is for."""
    listed = run_pytest(tmp_path, "--fixtures").stdout
    [ours] = re.findall(r"^-+ fixtures defined from claude_stream.*\n([\s\S]*?)^[-=]", listed, re.MULTILINE)
    [(name, described)] = re.findall(r"^(\w+).* -- .*\n +(.*)$", ours, re.MULTILINE)
    assert name == "claude_replay"
    assert (
        described == "Make clients that answer from the recordings in the folder ``recordings`` beside the test file."
    )


def test_there_is_nothing_else(request: pytest.FixtureRequest) -> None:
    """The plugin hooks into the beginning and end of tests, and so can add no option, no marker and no setting."""
    manager = request.config.pluginmanager
    plugin = manager.get_plugin("claude_stream")
    assert plugin is not None
    hooks = ["pytest_fixture_setup", "pytest_runtest_setup", "pytest_runtest_teardown"]
    assert sorted(caller.name for caller in manager.get_hookcallers(plugin) or []) == hooks
    assert [name for name in dir(plugin) if name.startswith("pytest_")] == hooks


@pytest.fixture(scope="module")
def shared_events() -> list[dict[str, Any]]:
    """Return events that all tests of this module share."""
    return message_events("Hello")


@pytest.mark.parametrize("number", [1, 2])
def test_ids_in_this_process(number: int, shared_events: list[dict[str, Any]]) -> None:
    """Each test counts from 1, and what it shares is not among them."""
    assert not shared_events[0]["message"]["id"].startswith("msg_test_"), number
    assert [message_events()[0]["message"]["id"] for _ in range(2)] == ["msg_test_1", "msg_test_2"]


def test_the_folder(claude_replay: ClaudeReplay) -> None:
    """It is found by the file of the test that asks."""
    assert type(claude_replay) is ClaudeReplay
    assert claude_replay.folder == Path(__file__).parent / "recordings"
