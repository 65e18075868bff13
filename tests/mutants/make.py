"""The mutants of one module: where each is, what it changes, and the source with that change.

The law: a mutant is one change that a programmer might have made by mistake. Not changed is what no behaviour hangs on:
annotations and what is for type checkers only, the wording of sentences (a string with a space in it), and which of two
values that mean no stands somewhere (`False` and `None`).
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterable, Iterator

import libcst as cst
import libcst.matchers as m
from libcst.metadata import MetadataWrapper, PositionProvider, WhitespaceInclusivePositionProvider
from mutmut.mutation.mutators import mutation_operators, operator_arg_removal, operator_assignment, operator_string


@dataclasses.dataclass(frozen=True)
class Mutant:
    """A changed module.

    Args:
        key: names the function and the change, and stays the same when lines move.
        function: the qualified name of the outermost function that has changed, or None for anything else.
        lines: those of the statement that has changed, without its block.
        source: of the whole module.
    """

    key: str
    function: str | None
    lines: range
    source: str


def mutants_of(source: str) -> list[Mutant]:
    """Return all mutants of a module."""
    wrapper = MetadataWrapper(cst.parse_module(source), unsafe_skip_copy=True)
    visitor = _Visitor()
    wrapper.visit(visitor)
    spans = wrapper.resolve(WhitespaceInclusivePositionProvider)
    starts = wrapper.resolve(PositionProvider)
    lines = source.splitlines(keepends=True)
    found: list[Mutant] = []
    seen: collections.Counter[str] = collections.Counter()
    for change in visitor.changes:
        span = spans[change.old]
        first, last = span.start.line - 1, span.end.line
        before = "".join(lines[first:last])
        head, tail = lines[first][: span.start.column], lines[last - 1][span.end.column :]
        after = f"{head}{wrapper.module.code_for_node(change.new)}{tail}"
        changed = "".join((*lines[:first], after, *lines[last:]))
        if after == before:
            continue
        key = f"{change.path}: {' '.join(before.split())} -> {' '.join(after.split())}"
        seen[key] += 1
        begin, end = starts[change.statement].start.line, starts[change.statement].end.line
        if (body := getattr(change.statement, "body", None)) is not None and isinstance(body, cst.IndentedBlock):
            end = max(begin, starts[body].start.line - 1, last)
        numbered = key if seen[key] == 1 else f"{key} ({seen[key]})"
        found.append(Mutant(numbered, change.function, range(begin, end + 1), changed))
    return found


@dataclasses.dataclass(frozen=True)
class _Change:
    path: str
    function: str | None
    statement: cst.CSTNode
    old: cst.CSTNode
    new: cst.CSTNode


class _Visitor(cst.CSTVisitor):
    def __init__(self) -> None:
        super().__init__()
        self.changes: list[_Change] = []
        self._path: list[str] = []
        self._function: str | None = None
        self._outside = 0  # in what is worked out when the function is defined: defaults, decorators
        self._statements: list[cst.CSTNode] = []
        self._types: list[cst.CSTNode] = []  # what is cast to

    def on_visit(self, node: cst.CSTNode) -> bool:
        if m.matches(node, _FOR_TYPE_CHECKERS) or node in self._types:
            return False
        if isinstance(node, cst.Call) and m.matches(node, _CAST):
            self._types.append(node.args[0])
        if isinstance(node, (cst.Decorator, cst.Parameters)) and self._function is not None:
            self._outside += 1
        if isinstance(node, (cst.FunctionDef, cst.ClassDef)):
            self._path.append(node.name.value)
            if isinstance(node, cst.FunctionDef) and self._function is None:
                self._function = ".".join(self._path)
        if isinstance(node, _STATEMENTS):
            self._statements.append(node)
        for old, new in _changed(node):
            place = ".".join(self._path) or "module"
            function = None if self._outside else self._function
            self.changes.append(_Change(place, function, self._statements[-1], old, new))
        return True

    def on_leave(self, original_node: cst.CSTNode) -> None:
        if m.matches(original_node, _FOR_TYPE_CHECKERS) or original_node in self._types:
            return
        if isinstance(original_node, _STATEMENTS):
            self._statements.pop()
        if isinstance(original_node, (cst.Decorator, cst.Parameters)) and self._function is not None:
            self._outside -= 1
        if isinstance(original_node, (cst.FunctionDef, cst.ClassDef)):
            if self._function == ".".join(self._path):
                self._function = None
            self._path.pop()


_STATEMENTS = (cst.SimpleStatementLine, cst.BaseCompoundStatement, cst.ExceptHandler, cst.MatchCase)
_CAST = m.Call(func=m.Name("cast"))
_TYPING = m.Call(func=m.Name("TypeVar"))
_OVERLOAD = m.Decorator(decorator=m.Name("overload"))
_FOR_TYPE_CHECKERS = m.OneOf(
    m.Annotation(),
    m.ImportFrom(),
    m.Import(),
    m.FunctionDef(decorators=[m.ZeroOrMore(), _OVERLOAD, m.ZeroOrMore()]),
    m.AnnAssign(annotation=m.Annotation(m.Name("TypeAlias"))),
    m.Assign(value=_TYPING),
    m.If(test=m.OneOf(m.Name("TYPE_CHECKING"), m.UnaryOperation(expression=m.Name("TYPE_CHECKING")))),
)
_SENTENCES = m.OneOf(m.SimpleString(value=m.MatchRegex(".* .*")), m.FormattedString(), m.ConcatenatedString())


def _changed(node: cst.CSTNode) -> Iterator[tuple[cst.CSTNode, cst.CSTNode]]:
    """Yield what a node, or a part of it, might be instead."""
    if m.matches(node, _CAST):
        return
    for kind, operator in mutation_operators:
        if not isinstance(node, kind) or operator is operator_string:
            continue
        if operator is operator_assignment and m.matches(node.value, m.Name("False")):
            continue
        for new in operator(node):
            if operator is not operator_arg_removal or _is_sensible(node, new):
                yield node, new
    if isinstance(node, cst.SimpleString):
        yield from ((node, new) for new in _other_strings(node))
    elif isinstance(node, (cst.If, cst.While)) and not isinstance(node.test, (cst.Comparison, cst.UnaryOperation)):
        yield node.test, _negated(node.test)
    elif isinstance(node, cst.Expr) and isinstance(node.value, (cst.Call, cst.Await)):
        yield node, cst.Pass()


def _is_sensible(old: cst.Call, new: cst.Call) -> bool:
    """Say whether a call without one of its arguments still has its sentences, and has not only None for False."""
    kept = [argument.value for argument in new.args]
    gone = [argument.value for argument in old.args if not any(argument.value is each for each in kept)]
    is_none = len(old.args) == len(new.args)
    return not any(m.matches(each, _SENTENCES) or (is_none and m.matches(each, m.Name("False"))) for each in gone)


def _other_strings(node: cst.SimpleString) -> Iterable[cst.SimpleString]:
    text = node.evaluated_value
    is_sentence = (b" " if isinstance(text, bytes) else " ") in text.strip()
    if node.quote not in ('"', "'") or is_sentence:
        return
    first = len(node.prefix) + 1
    yield node.with_changes(value=f"{node.value[:first]}XX{node.value[first:]}")


def _negated(test: cst.BaseExpression) -> cst.BaseExpression:
    return cst.UnaryOperation(cst.Not(), test.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()]))
