"""Build the site, into build/site: `python docs/build.py`. A warning is an error."""

import shutil
import sys
from pathlib import Path

from sphinx.cmd.build import build_main

DOCS = Path(__file__).parent


def main(out: Path = DOCS.parent / "build") -> int:
    """Write the pages as HTML and as Markdown, and llms.txt, into ``out / "site"``; return the exit status."""
    site = out / "site"
    doctrees = out / "doctrees"  # a change of the code behind a page leaves them out of date
    for old in (site, doctrees):
        shutil.rmtree(old, ignore_errors=True)
    for builder in ("html", "markdown"):  # the second takes what the first has read
        options = ["-q", "-W", "--keep-going", "-b", builder, "-d", str(doctrees)]
        if status := build_main([*options, str(DOCS), str(site)]):
            return status
    # The index is written in the format of llms.txt, and its links lead to the Markdown of the pages.
    shutil.copy(DOCS / "index.md", site / "llms.txt")
    return 0


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:])))
