"""The reference, from docstrings: each page of docs/reference/ names what it shows, and this shows it.

The law: a page says `{public} PACKAGE` and then one name a line. Nothing of a name is written twice: its kind, its
signature and its text come from the code. A name in a docstring that nobody has is a warning.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
import functools
import importlib
import io
import os
import pkgutil
import re
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import anthropic
from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.pycode import ModuleAnalyzer
from sphinx.util.inspect import TypeAliasForwardRef

PACKAGES = ("claude_stream", "claude_stream.testing")
BLOCK = re.compile(r"^```\{public\} (?P<package>\S+)\n(?P<names>[^`]*)^```$", re.MULTILINE)
_HELP = re.compile(r"^```\{help\}\n(?P<command>.*)\n```$", re.MULTILINE)
_MADE_HERE = {
    *("Reader", "AsyncReader", "StreamManager", "AsyncStreamManager", "ToolInput", "Progress", "Chars", "UnknownEvent"),
    *("Replay", "ReplayClient", "AsyncReplayClient", "ClaudeReplay"),
}
_DEFAULT = re.compile(r"<(?:factory|(?:built-in )?function (\w+)[^>]*)>")
_OUTSIDE = (builtins, types, anthropic, anthropic.types, anthropic.types.beta)


def _read(app: Sphinx, page: str, content: list[str]) -> None:
    """Write what autodoc wants instead of each list of names, and its help instead of each command."""
    del app, page
    content[0] = _HELP.sub(lambda block: f"```text\n{_help(block['command'])}```", content[0])
    content[0] = BLOCK.sub(lambda block: "\n".join(_directives(block["package"], block["names"].split())), content[0])


def _directives(package: str, names: list[str]) -> Iterator[str]:
    yield from ("```{eval-rst}", f".. currentmodule:: {package}", "")
    if not names:
        yield from (f".. automodule:: {package}", "   :no-members:", "   :no-index:", "")
    if len(names) > 1:
        yield from (".. autosummary::", "   :nosignatures:", "", *(f"   {name}" for name in names), "")
    for name in names:
        yield from _directive(name, getattr(importlib.import_module(package), name))
    yield "```"


def _directive(name: str, value: Any) -> Iterator[str]:
    if isinstance(value, type) and not isinstance(value, types.GenericAlias):
        # What a class has from the SDK or from Python is documented there.
        foreign = [base.__name__ for base in value.__mro__ if not base.__module__.startswith(PACKAGES[0])]
        if issubclass(value, BaseException):
            yield from (f".. autoexception:: {name}", "   :show-inheritance:")
        else:
            yield f".. autoclass:: {name}"
        yield from ("   :members:", "   :exclude-members: model_config", f"   :inherited-members: {', '.join(foreign)}")
    elif isinstance(value, types.FunctionType):
        yield f".. autofunction:: {name}"
    else:
        yield from (f".. autodata:: {name}", "   :no-value:")
    yield ""


def _help(command: str) -> str:
    """Return what a command of ours prints with ``--help``, on a terminal of 80 columns without colours."""
    module, *arguments = command.split()
    printed = io.StringIO()
    with (
        mock.patch.dict(os.environ, {"COLUMNS": "80", "NO_COLOR": "1"}),
        contextlib.redirect_stdout(printed),
        contextlib.suppress(SystemExit),
    ):
        importlib.import_module(f"{module}.__main__").main([*arguments, "--help"])
    return printed.getvalue()


def _modules(package: str) -> list[types.ModuleType]:
    paths = importlib.import_module(package).__path__
    names = [info.name for info in pkgutil.walk_packages(paths, f"{package}.") if not info.name.endswith("__main__")]
    return [importlib.import_module(name) for name in names if package != PACKAGES[0] or PACKAGES[1] not in name]


def _analyse() -> None:
    """Let Sphinx find in a package what the modules below it hold.

    What is public has the package as its ``__module__``, so that is where Sphinx looks for overloads and for the
    docstrings of attributes. Overloads for the beta API repeat those for the stable one; one sentence says so.
    """
    for package in PACKAGES:
        whole = ModuleAnalyzer.for_module(package)
        whole.analyze()
        for module in _modules(package):
            part = ModuleAnalyzer.for_module(module.__name__)
            part.analyze()
            whole.attr_docs |= part.attr_docs
            whole.annotations |= part.annotations
            whole.tagorder |= part.tagorder
            for name, overloads in part.overloads.items():
                whole.overloads[name] = [each for each in overloads if "Beta" not in str(each)]


def _aliases() -> dict[str, str]:
    """Return the names that signatures keep as they are written, such as `Source`: unions fill half a page each."""
    found: dict[str, str] = {}
    for module in (module for package in PACKAGES for module in _modules(package)):
        for node in ast.walk(ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("anthropic.types"):
                origin = importlib.import_module(str(node.module))
                for alias in node.names:
                    if not isinstance(getattr(origin, alias.name), type):
                        found[alias.asname or alias.name] = alias.name
    public = importlib.import_module(PACKAGES[0])
    for name in public.__all__:
        value = getattr(public, name)
        if not isinstance(value, (type, types.FunctionType)) or isinstance(value, types.GenericAlias):
            found[name] = name
    return found


def _plain(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Keep the first sentence of a property whole: Google style takes what stands ahead of a colon for its type."""
    del app, name, obj, options
    if what in ("attribute", "property"):
        lines[:0] = ["..", ""]  # a comment, which has no colon


def _without_aliases(app: Sphinx, doctree: nodes.document) -> None:
    """Leave out what stands for an alias at run time, which is less than what type checkers know."""
    del app
    for paragraph in list(doctree.findall(nodes.paragraph)):
        if paragraph.astext().startswith("alias of "):
            paragraph.parent.remove(paragraph)


def _named(
    app: Sphinx, what: str, name: str, obj: Any, options: Any, signature: str | None, returns: str | None
) -> tuple[str | None, str | None]:
    """Write defaults that are functions by their names, so that Sphinx can read the signature.

    Leave out the parameters of classes that only the library makes.
    """
    del app, obj, options
    if what == "class" and name.rpartition(".")[2] in _MADE_HERE:
        return "", None
    return _DEFAULT.sub(lambda default: default[1] or "...", signature or "") or None, returns


def _outside(app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.Element) -> nodes.Element | None:
    """Find a name of the main package from wherever it is meant; a name of Python's or the SDK's gets no link.

    What nobody has stays a warning. Only a signature may speak of names of ours that are not public.
    """
    target = node.get("reftarget", "")
    if node.get("refdomain") != "py":
        return None
    if target in importlib.import_module(PACKAGES[0]).__all__:
        python = env.domains.python_domain
        return python.resolve_xref(env, node["refdoc"], app.builder, "obj", f"{PACKAGES[0]}.{target}", node, content)
    private = node["reftype"] == "class" and target.rpartition(".")[2] in _private()
    return content if private or _exists(target) else None


@functools.cache
def _private() -> frozenset[str]:
    return frozenset(name for package in PACKAGES for module in _modules(package) for name in vars(module))


def _exists(target: str) -> bool:
    if any(hasattr(module, target) for module in _OUTSIDE):
        return True
    module, _, name = target.rpartition(".")
    try:
        return hasattr(importlib.import_module(module), name) if module else False
    except ImportError:
        return False


def _name_of(alias: TypeAliasForwardRef) -> str:
    """Return what a signature shows for an alias: its last name, not the call that made it."""
    return f"~{alias.name}"


def setup(app: Sphinx) -> dict[str, bool]:
    """Join in; Sphinx calls this."""
    _analyse()
    TypeAliasForwardRef.__repr__ = _name_of  # type: ignore[method-assign]
    app.config.autodoc_type_aliases = _aliases()
    app.connect("source-read", _read)
    app.connect("autodoc-process-docstring", _plain, priority=400)  # ahead of napoleon, at 500
    app.connect("autodoc-process-signature", _named)
    app.connect("doctree-read", _without_aliases)
    app.connect("missing-reference", _outside)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
