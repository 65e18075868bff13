"""docs/troubleshooting.md has every message that this library raises, and none that it does not."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
SRC = ROOT / "src" / "claude_stream"
HOLE = "\N{HORIZONTAL ELLIPSIS}"
"""What stands for a part that differs from time to time, on the page and in the messages below."""

MAKERS = {"KeyboardInterrupt", "Failure", "cls", "_impossible", "_say", "error", "exception", "warning"}
"""What is given messages, beside everything whose name ends in `Error`."""


def string_in(node: ast.AST) -> str | None:
    """Return the sentence that an expression makes, with holes where the values go, or None if it makes none."""
    if isinstance(node, ast.Constant):
        text = node.value if isinstance(node.value, str) else ""
        text = re.sub(r"%\.?\d*[sdf]", HOLE, text)  # as the log has it
    elif isinstance(node, ast.JoinedStr):
        text = "".join(str(part.value) if isinstance(part, ast.Constant) else HOLE for part in node.values)
    else:
        return None
    return text if " " in text and re.search(r"\w", text) else None


def strings_in(node: ast.AST) -> Iterator[str]:
    """Yield the sentences in a piece of code, from the outside: not those that are parts of others."""
    if (text := string_in(node)) is not None:
        yield text
    elif not isinstance(node, ast.JoinedStr):
        for child in ast.iter_child_nodes(node):
            yield from strings_in(child)


def messages_in(module: ast.Module) -> Iterator[str]:
    """Yield the messages in a module. What is put together before it is passed on may be any sentence around it."""
    constants = {name.id: node.value for node in module.body if isinstance(node, ast.Assign) for name in names(node)}
    functions = [node for node in ast.walk(module) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    for call in ast.walk(module):
        if not isinstance(call, ast.Call):
            continue
        maker = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        if not (maker.endswith("Error") or maker in MAKERS):
            continue
        found = [text for argument in call.args for text in strings_in(argument)]
        yield from found
        if call.args and not found and maker.endswith("Error"):
            around = [each for each in functions if each.lineno <= call.lineno <= (each.end_lineno or 0)]
            for statement in (each for function in around[-1:] for each in function.body):
                if not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)):  # a docstring
                    yield from strings_in(statement)
            for name in names(call.args[0]):
                yield from strings_in(constants.get(name.id, name))


def names(node: ast.AST) -> list[ast.Name]:
    return [each for each in ast.walk(node) if isinstance(each, ast.Name)]


def raised() -> set[str]:
    modules = [ast.parse(path.read_text(encoding="utf-8")) for path in SRC.rglob("*.py")]
    return {" ".join(text.split()) for module in modules for text in messages_in(module)}


def code_in(text: str) -> set[str]:
    spans = re.findall(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", text, re.DOTALL)
    return {" ".join(code.split()) for _, code in spans}


def page() -> tuple[set[str], set[str]]:
    """Return the messages that have an entry on the page, and all that it has as code."""
    text = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    text = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    entries = re.findall(r"^- ((?:.*,\n  )*.*):$", text, re.MULTILINE)
    return {code for entry in entries for code in code_in(entry)}, code_in(text)


def covers(shown: str, message: str) -> bool:
    """Whether what is shown is a message, or an example of it: a hole in one stands for anything in the other."""
    return stands_for(shown, message) or stands_for(message, shown)


def stands_for(pattern: str, text: str) -> bool:
    return len(re.findall(r"[^\W\d_]", pattern)) >= 8 and compiled(pattern).fullmatch(text) is not None


@functools.cache
def compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, pattern.split(HOLE))))


def test_every_message_is_on_the_page() -> None:
    """Somebody who meets one and searches for it finds what it means."""
    _, shown = page()
    missing = [each for each in raised() if not any(covers(code, each) for code in shown)]
    assert sorted(missing) == []


def test_every_entry_of_the_page_is_a_message() -> None:
    """What was reworded in the code is reworded there, too. Some messages do not go straight into an exception."""
    entries, _ = page()
    modules = [ast.parse(path.read_text(encoding="utf-8")) for path in SRC.rglob("*.py")]
    said = {" ".join(text.split()) for module in modules for text in strings_in(module)}
    entries.remove(f"{HOLE}(): {HOLE}")  # Python's own words about arguments
    stale = [code for code in entries if not any(covers(code, each) for each in said)]
    assert sorted(stale) == []


def test_a_message_is_found_however_it_is_made() -> None:
    """The check above can fail: for a constant, an f-string, a choice, and what is put together in front of it."""
    module = ast.parse(
        "CUT = {1: 'it was cut'}\n"
        "def one(x):\n"
        "    '''Say nothing of this.'''\n"
        "    raise TypeError('it is wrong')\n"
        "def two(x):\n"
        "    '''Say nothing of this.'''\n"
        "    what = f'it is {x!r}' if x else 'it is nothing'\n"
        "    raise TypeError(what)\n"
        "def three(x):\n"
        "    '''Say nothing of this.'''\n"
        "    raise TypeError(CUT[x])\n"
        "def four(x):\n"
        "    '''Say nothing of this.'''\n"
        "    raise TypeError(f'so {x:.2f}, ' 'and so' if x else 'or so')\n"
    )
    assert set(messages_in(module)) == {
        "it is wrong",
        f"it is {HOLE}",
        "it is nothing",
        "it was cut",
        f"so {HOLE}, and so",
        "or so",
    }
