"""What the pages of docs/ need on their way into Sphinx, so that they stay plain Markdown.

The law: a page reads well as a file, in an editor or on a forge; the site adds nothing to its text. `index.md` is
written in the format of llms.txt: a section's list of links is that section of the navigation.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

ROOT = Path(__file__).parents[1]
STAND_INS = {"README.md": "overview.md", "CHANGELOG.md": "changelog.md"}  # files outside docs/, and their pages in it

_STAND_IN = re.compile(r"\[.*\]\(\.\./(\w+\.md)\)\n")
_LINK = re.compile(r"\]\((?!https?:|#)(?P<path>[^)#\s]+)")
_FENCE = re.compile(r'^```(\w+) title="(.*?)"$', re.MULTILINE)
_SECTION = re.compile(r"^## (?P<title>.+)\n(?P<body>(?:(?!## ).*\n?)*)", re.MULTILINE)
_ENTRY = re.compile(r"^- \[(?P<title>.+?)\]\((?P<path>.+?)\.md\)", re.MULTILINE)


def _read(app: Sphinx, page: str, content: list[str]) -> None:
    """Turn the titles of code blocks into captions, and the lists of the index into the navigation."""
    del app
    text, folder = content[0], posixpath.dirname(f"docs/{page}")
    if stand_in := _STAND_IN.fullmatch(text):
        text, folder = (ROOT / stand_in[1]).read_text(encoding="utf-8"), ""
    text = _LINK.sub(lambda link: _relinked(link["path"], folder, posixpath.dirname(f"docs/{page}")), text)
    text = _FENCE.sub(r"```{code-block} \1\n:caption: \2\n", text)
    if page == "index":
        text = _SECTION.sub(_with_navigation, text)
    content[0] = text


def _relinked(path: str, before: str, now: str) -> str:
    """Return a link as it stands in a page that has moved from one folder to another, to a stand-in if there is one."""
    target = posixpath.normpath(posixpath.join(before, path))
    target = posixpath.join("docs", STAND_INS[target]) if target in STAND_INS else target
    return f"]({posixpath.relpath(target, now)}"


def _with_navigation(section: re.Match[str]) -> str:
    entries = "".join(f"{entry['title']} <{entry['path']}>\n" for entry in _ENTRY.finditer(section["body"]))
    if not entries:
        return section[0]
    return f"{section[0]}\n```{{toctree}}\n:hidden:\n:caption: {section['title']}\n\n{entries}```\n\n"


def _in_its_language(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: object) -> None:
    """Name the language of a translation, for fonts, browsers and screen readers."""
    del app, template, doctree
    if page.startswith("zh/"):
        context["language"] = "zh-CN"


def _for_markdown(app: Sphinx, doctree: nodes.document, page: str) -> None:
    """Put what the Markdown builder does not know as what it does: the `/` and `*` of signatures, and captions."""
    del page
    if app.builder.name == "markdown":
        for marker in list(doctree.findall(nodes.abbreviation)):
            marker.replace_self(nodes.Text(marker.astext()))
        for caption in list(doctree.findall(nodes.caption)):
            caption.replace_self(nodes.paragraph("", "", nodes.strong(text=caption.astext())))


def setup(app: Sphinx) -> dict[str, bool]:
    """Join in; Sphinx calls this."""
    app.connect("source-read", _read)
    app.connect("doctree-resolved", _for_markdown)
    app.connect("html-page-context", _in_its_language)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
