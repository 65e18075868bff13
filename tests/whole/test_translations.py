"""The pages in docs/zh/ keep step with the English ones: the same sections, functions, code and output."""

from __future__ import annotations

import io
import re
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TRANSLATED = sorted((ROOT / "docs" / "zh").glob("*.md"))

BLOCK = r"^```(?P<kind>[^\n]+)\n(?P<code>.*?)^```$"  # a drawing has no kind, and its words are translated
HEADING = r"^(?P<heading>#+) "
ROW = r"^\| (?P<names>`[^|]*) \|"  # of a table of functions
HAN = r"[\u3001-\u303f\u4e00-\u9fff\uff01-\uff5e]"


def outline_of(page: str) -> list[tuple[str, str]]:
    """Return what a page and its translation have in common, in order; Python without its comments."""
    outline = []
    for part in re.finditer(f"{BLOCK}|{HEADING}|{ROW}", page, re.MULTILINE | re.DOTALL):
        if part["kind"]:
            code = part["code"]
            outline.append((part["kind"], without_comments(code) if part["kind"].startswith("python") else code))
        elif part["heading"]:
            outline.append(("heading", part["heading"]))
        else:
            outline.append(("row", " ".join(re.findall(r"`.+?`", part["names"]))))
    return outline


def without_comments(code: str) -> str:
    lines = code.splitlines(keepends=True)
    for token in tokenize.generate_tokens(io.StringIO(code).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column].rstrip() + "\n"
    return "".join(lines)


def slips_in(page: str) -> list[str]:
    """Return where Chinese has the punctuation of English, or a line ends in the middle of a paragraph."""
    prose = re.sub(r"^```.*?^```$", "", page, flags=re.MULTILINE | re.DOTALL)
    prose = re.sub(r"`[^`\n]+`", "x", prose)  # code
    prose = re.sub(r"\]\([^)\n]+\)", "]", prose)  # where a link leads
    return re.findall(rf"{HAN}[,;:?!()]|[,;:?!()]{HAN}|{HAN}\n(?![-|#\n]).", prose)


@pytest.mark.parametrize("page", TRANSLATED, ids=lambda page: page.name)
def test_a_translation_has_what_its_original_has(page: Path) -> None:
    """A change of the English page's code, sections or functions is made in the Chinese one, too."""
    original = ROOT if page.name == "README.md" else ROOT / "docs"
    outline = outline_of(page.read_text(encoding="utf-8"))
    assert outline == outline_of((original / page.name).read_text(encoding="utf-8"))
    assert len(outline) > 20


@pytest.mark.parametrize("page", TRANSLATED, ids=lambda page: page.name)
def test_chinese_has_its_own_punctuation(page: Path) -> None:
    """It is as wide as the characters, and a paragraph is one line: a line's end would be shown as a space."""
    assert slips_in(page.read_text(encoding="utf-8")) == []


ENGLISH = "## One\n\n```python\nx = 1  # one\n```\n\n```text\n1\n```\n\n| `f()`, `g()` | one |\n"


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("One", "一", True),
        ("# one", "# 一", True),
        ("| one", "| 一", True),
        ("`, `", "`、`", True),
        ("x = 1", "x = 2", False),
        ("x = 1", "x = '# 1'", False),
        ("```python", '```python title="x.py"', False),
        ("\n1\n", "\n2\n", False),
        ("## One\n", "", False),
        ("`g()`", "`h()`", False),
    ],
)
def test_what_may_differ(old: str, new: str, same: bool) -> None:
    """The first check above can fail: words may differ, and code, output, sections and names may not."""
    assert old in ENGLISH
    assert (outline_of(ENGLISH.replace(old, new)) == outline_of(ENGLISH)) is same


@pytest.mark.parametrize("slip", ["流式, 异步", "流式（一)", "(流式）", "第一行\n第二行", "`f`和,`g`"])  # noqa: RUF001 - Chinese
def test_a_slip_is_found(slip: str) -> None:
    """The second check above can fail."""
    assert len(slips_in(f"# 流式\n\n{slip}。\n")) == 1


def test_code_and_links_have_their_own_punctuation() -> None:
    """The second check above leaves them alone, and lists, too."""
    assert slips_in("# 流式\n\n流式，`f(一):`，[链接](a:b.md)。\n\n- 一\n- 二\n\n```text\n一, 二\n```\n") == []  # noqa: RUF001 - Chinese
