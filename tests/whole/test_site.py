"""The site: every public name is in the reference, every page in the index, and every link leads somewhere."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

import claude_stream
import claude_stream.testing
from tests.browser import Browser

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md"))
INDEX = (DOCS / "index.md").read_text(encoding="utf-8")
LINKS = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def shown(package: str) -> Counter[str]:
    """Return how often each name of a package stands in the lists of the reference."""
    pages = "".join(page.read_text(encoding="utf-8") for page in (DOCS / "reference").glob("*.md"))
    lists = re.findall(rf"^```\{{public\}} {re.escape(package)}\n(.*?)^```$", pages, re.MULTILINE | re.DOTALL)
    return Counter(name for names in lists for name in names.split())


@pytest.mark.parametrize("module", [claude_stream, claude_stream.testing], ids=lambda module: module.__name__)
def test_every_public_name_has_one_place_in_the_reference(module: object) -> None:
    """A new name has to be entered in the list of one page of docs/reference/."""
    assert shown(module.__name__) == Counter(module.__all__)


def test_the_index_has_every_page_once() -> None:
    """A page that nobody can find is none, and what llms.txt says of the site is all of it."""
    linked = re.findall(r"^- \[.+?\]\((.+?\.md)\): \S", INDEX, re.MULTILINE)
    assert Counter(linked) == Counter(page for page in PAGES if page != "index.md")


def test_the_index_is_an_llms_txt() -> None:
    """One heading, a summary in a quotation, and then lists of links under second headings, and nothing else."""
    heading, summary, *rest = INDEX.split("\n\n")
    assert heading == "# claude_stream"
    assert all(line.startswith("> ") for line in summary.splitlines())
    assert [part for part in rest if not part.startswith(("## ", "- ["))] == []


def test_each_example_is_on_the_page_of_examples() -> None:
    """It is shown there, and can be downloaded from there."""
    page = (DOCS / "examples" / "index.md").read_text(encoding="utf-8")
    files = [file for ending in ("*.py", "*.html") for file in (DOCS / "examples").rglob(ending)]
    for name in (file.relative_to(DOCS / "examples").as_posix() for file in files):
        assert f"[{name}]({name})" in page
        assert f"```{{literalinclude}} {name}\n" in page


class Page(HTMLParser):
    """The links and the anchors of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del tag
        given = dict(attrs)
        self.links += [link for name in ("href", "src") if (link := given.get(name)) is not None]
        self.anchors |= {anchor for name in ("id", "name") if (anchor := given.get(name))}


def dead(page: Path, links: list[str], anchors: dict[Path, set[str]]) -> list[str]:
    """Return the links of a page that lead nowhere. Of those that leave the site only the form is looked at."""
    found = []
    for link in links:
        url = urlsplit(link)
        if url.scheme or url.netloc:
            alive = url.scheme in ("http", "https") and "." in url.netloc and " " not in link
        else:
            target = (page.parent / unquote(url.path)).resolve() if url.path else page
            alive = target.is_file() and (not url.fragment or unquote(url.fragment) in anchors.get(target, set()))
        if not alive:
            found.append(f"{page.name}: {link}")
    return found


def test_a_dead_link_is_found(tmp_path: Path) -> None:
    """The check below can fail: for a file, an anchor and a host that are not there."""
    page = tmp_path / "page.html"
    page.write_text('<p id="here"><a href="#here"><a href="page.html#there"><a href="none.html"><a href="https:x">')
    read = Page(page)
    assert dead(page, read.links, {page: read.anchors}) == [
        "page.html: page.html#there",
        "page.html: none.html",
        "page.html: https:x",
    ]


needs_sphinx = pytest.mark.skipif(
    importlib.util.find_spec("sphinx") is None or importlib.util.find_spec("furo") is None,
    reason="the extra `docs` is not installed",
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the site, as its one command builds it."""
    out = tmp_path_factory.mktemp("site")
    command = [sys.executable, str(DOCS / "build.py"), str(out)]
    done = subprocess.run(command, cwd=out, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    return out / "site"


@pytest.mark.process
@pytest.mark.slow
@needs_sphinx
class TestBuilt:
    """The site, built once."""

    def test_every_page_is_there_twice(self, site: Path) -> None:
        """As HTML, and as Markdown for those who read no HTML."""
        for page in PAGES:
            assert (site / page).with_suffix(".html").is_file()
            assert (site / page).is_file()

    def test_every_page_says_its_language(self, site: Path) -> None:
        """Browsers choose fonts by it, and screen readers voices."""
        for page in PAGES:
            language = "zh-CN" if page.startswith("zh/") else "en"
            assert f' lang="{language}"' in (site / page).with_suffix(".html").read_text(encoding="utf-8")

    def test_llms_txt_names_them_all(self, site: Path) -> None:
        """Its links are those of the pages as Markdown."""
        named = set(LINKS.findall((site / "llms.txt").read_text(encoding="utf-8")))
        written = {str(page.relative_to(site)) for page in site.rglob("*.md")}
        assert named == written - {"index.md"}

    @pytest.mark.parametrize("module", [claude_stream, claude_stream.testing], ids=lambda module: module.__name__)
    def test_it_has_every_public_name(self, site: Path, module: object) -> None:
        """Each can be linked to, in both forms, and is found by the search."""
        names = {f"{module.__name__}.{name}" for name in module.__all__}
        html = {anchor for page in (site / "reference").glob("*.html") for anchor in Page(page).anchors}
        markdown = "".join(page.read_text(encoding="utf-8") for page in (site / "reference").glob("*.md"))
        search = (site / "searchindex.js").read_text(encoding="utf-8")
        assert names - html == set()
        assert [name for name in names if f'<a id="{name}"></a>' not in markdown] == []
        assert [name for name in module.__all__ if f'"{name}"' not in search] == []

    def test_no_link_is_dead(self, site: Path) -> None:
        """Neither to a page nor to a place in one, in HTML and in Markdown."""
        pages = {path: Page(path) for path in site.rglob("*.html")}
        anchors = {path: page.anchors for path, page in pages.items()}
        texts = {path: path.read_text(encoding="utf-8") for path in [*site.rglob("*.md"), site / "llms.txt"]}
        anchors |= {path: set(re.findall(r'<a id="([^"]+)"></a>', text)) for path, text in texts.items()}
        links = {path: page.links for path, page in pages.items()}
        links |= {path: LINKS.findall(without_code(text)) for path, text in texts.items()}
        assert sum(map(len, links.values())) > 1000
        assert [link for path in links for link in dead(path, links[path], anchors)] == []

    @pytest.mark.socket
    def test_no_page_is_wider_than_its_window(self, site: Path) -> None:
        """On a phone, in half a window and in a whole one, what is too wide moves by itself."""
        wide: list[tuple[str, int]] = []
        with Browser() as browser:
            for page in ("overview", "how-to/web-endpoint", "reference/errors", "compatibility", "zh/tutorial"):
                browser.open((site / page).with_suffix(".html").as_uri())
                for width in (390, 700, 900, 1100, 1200, 1400, 1600):
                    browser.resize(width)
                    if browser.run("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
                        wide.append((page, width))
        assert wide == []


def without_code(markdown: str) -> str:
    return re.sub(r"^```.*?^```|`[^`\n]*`", "", markdown, flags=re.MULTILINE | re.DOTALL)
