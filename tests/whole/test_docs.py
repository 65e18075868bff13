"""Every example in a docstring, in the README and in docs/ runs as it stands."""

from __future__ import annotations

import doctest
import gc
import importlib
import os
import pkgutil
import re
import runpy
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import claude_stream
from claude_stream.testing import Recording, async_replay_client, message_events, replay_client
from claude_stream.testing._http import http_package
from tests.loopback import Loopback
from tests.support import body_of

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]
EXAMPLES = sorted((ROOT / "docs" / "examples").glob("*.py"))
MODULES = [
    info.name
    for info in pkgutil.walk_packages(claude_stream.__path__, "claude_stream.")
    if not info.name.endswith("__main__")
]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Examples run in a folder of their own, which holds a recorded answer."""
    monkeypatch.chdir(tmp_path)
    Path("answer.sse").write_bytes(body_of(message_events("Hello, world!", chunk=7)))


def namespace() -> dict[str, Any]:
    """Return the names that a docstring's example may use without saying where they come from."""
    tool_events = message_events("Let me see.", ("get_weather", {"city": "Paris"}), chunk=12)
    # The first fragment of a tool's input is often empty, which would only confuse an example.
    tool_events = [e for e in tool_events if e.get("delta", {}).get("partial_json") != ""]
    return {
        "events": message_events("Hello, world!", chunk=7),
        "tool_events": tool_events,
        "client": replay_client(*["answer.sse"] * 3),
        "async_client": async_replay_client(*["answer.sse"] * 3),
        "using": "httpcore2" if http_package().__name__ == "httpx2" else "httpcore",
    }


@pytest.mark.parametrize("module", ["claude_stream", *MODULES])
def test_docstrings(module: str) -> None:
    """The examples of a module print what they say."""
    finder = doctest.DocTestFinder(exclude_empty=True)
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    for test in finder.find(importlib.import_module(module), globs=namespace()):
        runner.run(test)
    assert runner.failures == 0


def test_every_public_function_has_an_example() -> None:
    """What is public shows how to use it: in its docstring, or in the code of its page of the reference."""
    bare = [
        name
        for package in (claude_stream, claude_stream.testing)
        for name in package.__all__
        if ">>>" not in (getattr(package, name).__doc__ or "")
        and len(re.findall(rf"\b{name}\b", code_beside(name))) < 2  # it is imported, and used
    ]
    assert bare == []


def code_beside(name: str) -> str:
    """Return the Python blocks of the page of the reference that lists a name."""
    pages = [page.read_text(encoding="utf-8") for page in (ROOT / "docs" / "reference").glob("*.md")]
    [page] = [page for page in pages if re.search(rf"^```{{public}}[^`]*^{name}$", page, re.MULTILINE)]
    return "".join(re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL))


KEYS = ("ANTHROPIC_API_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
WITH_A_KEY = {
    "README.md": (1, 2, 3, 9),
    "docs/how-to/platforms.md": (1, 2),
    "docs/how-to/test-your-app.md": (1,),  # which records
    "docs/zh/README.md": (1, 2, 3, 9),
}
"""Which Python blocks of a page may find a key in the environment, because the page says that they need one."""


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give clients that a page makes a server as a user may: in the environment, not behind their back."""
    events = message_events("Hello, world!", chunk=7)
    with Loopback((body_of(events), "finish")) as server:
        for platform in ("", "BEDROCK_", "VERTEX_"):
            monkeypatch.setenv(f"ANTHROPIC_{platform}BASE_URL", server.url)
        yield


@pytest.mark.socket
@pytest.mark.usefixtures("api")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_pages(page: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The Python blocks of a page run one after the other; a `text` block behind one is what it prints.

    A key is in the environment only for those that are said to need one.
    """
    needy = WITH_A_KEY.get(page.relative_to(ROOT).as_posix(), ())
    monkeypatch.delenv("FORCE_COLOR", raising=False)  # rich would take standard output for a terminal
    blocks = re.findall(r"^```([^\n]+)\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {"__name__": "example"}
    before, number = "", 0
    for kind, content in blocks:
        if kind == "python":
            number += 1
            for name in KEYS:
                monkeypatch.delenv(name, raising=False)
                if number in needy:
                    monkeypatch.setenv(name, "key")
            capsys.readouterr()
            exec(compile(content, str(page), "exec", dont_inherit=True), names)
        elif kind == "text" and before == "python":
            assert capsys.readouterr().out == content
        before = kind
    names.clear()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # a program ends here, and its sockets with it
        gc.collect()


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_examples(example: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each example file runs as a script."""
    runpy.run_path(str(example), run_name="__main__")
    assert capsys.readouterr().out


RUN = re.compile(r"docs/(tutorial|how-to/.*|reference/.*)\.md$")
HOW_TOS = [page for page in PAGES if RUN.search(page.as_posix()) and "```sh" in page.read_text(encoding="utf-8")]


@pytest.mark.process
@pytest.mark.slow
@pytest.mark.parametrize("page", HOW_TOS, ids=lambda page: page.name)
def test_how_to(page: Path, tmp_path: Path) -> None:
    """The files of a page are written down, and its commands run, in their order; a `text` block is how they end.

    The commands run as they stand, in this environment. Those that make it are commands of the README, which CI runs.
    """
    (tmp_path / ".venv").symlink_to(sys.prefix)
    (tmp_path / "recordings").mkdir()
    Recording.load("answer.sse").save(tmp_path / "recordings" / "answer.jsonl")
    readme = (ROOT / "README.md").read_text()
    blocks = re.findall(r'^```(sh|text|python title="(.*?)")\n(.*?)^```', page.read_text(), re.MULTILINE | re.DOTALL)
    outside = {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"}
    output: str | None = None
    ran = compared = 0
    for kind, name, content in blocks:
        if name:
            (tmp_path / name).write_text(content)
        elif kind == "text" and output is not None:
            assert re.sub(r" in [\d.]+s$", "", output.rstrip()).endswith(content.strip()), output
            output, compared = None, compared + 1
        elif kind == "sh" and content.strip() not in readme:
            command = ["bash", "-c", content]
            done = subprocess.run(command, cwd=tmp_path, env=outside, capture_output=True, text=True, check=False)
            output, ran = done.stdout or done.stderr, ran + 1
    assert compared == ran > 0


def test_the_how_to_test_is_short() -> None:
    """The test of the chat function has fewer than 40 lines."""
    page = (ROOT / "docs" / "how-to" / "test-your-app.md").read_text()
    [test] = re.findall(r'^```python title="test_chat.py"\n(.*?)^```', page, re.MULTILINE | re.DOTALL)
    assert len(test.splitlines()) < 40
