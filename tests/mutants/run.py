"""Runs the tests of some modules against each of their mutants, in a process that has loaded them once.

The law: a mutant is killed if a test fails, if its process dies, or if a test takes many times as long as it did. Each
runs in a fork, by the tests that run the changed statement and no others: those of the module's own file, then the
others, and in both the quickest first, as many as fit into a limit. What stands outside of functions, or in one that
runs while its module is loaded, is loaded again with its change, in a fork from before anything of ours was loaded, and
all tests run.
"""

from __future__ import annotations

import dataclasses
import gc
import importlib
import importlib.abc
import importlib.util
import os
import pickle
import resource
import signal
import sys
import time
import types
from collections.abc import Callable, Iterable
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

import coverage
import pytest
from hypothesis import Phase, settings

from tests.mutants.make import Mutant

OWN_SECONDS, MORE_SECONDS = 3.0, 2.0
"""Processor time, unchanged, of the tests of a mutant: of the module's own, and of those that run behind them."""
_TIMES, _PLUS = 10, 1.0
"""A test may take so many times its own processor time, and so many seconds more."""
_STUCK = 45
"""Seconds after which a test that waits is stuck, on however busy a machine."""
_LOADING = 120
"""Seconds of processor time for a run that loads everything again."""
_MEMORY = 4 << 30

_UNMARKED = "not socket and not process and not slow"
_OPTIONS = ("-q", "-x", "-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning", "-m", _UNMARKED)


@dataclasses.dataclass(frozen=True)
class Module:
    """A module, its own tests, and what runs behind them.

    Args:
        path: of the module.
        name: that it is imported by.
        own: the file with its tests.
        more: files and folders with more of them.
    """

    path: Path
    name: str
    own: str
    more: tuple[str, ...] = ()


Told = Callable[[Module, str, Mutant], object]


def run(modules: dict[Module, list[Mutant]], told: Told, *, jobs: int = 1) -> None:
    """Run the tests of some modules against each of their mutants.

    Args:
        modules: and the mutants of each.
        told: is called with a module, what came of a mutant of it ("killed", "timeouts", "survived", or "invalid" if it
            is no Python), and the mutant.
        jobs: how many forks run at the same time.

    Raises:
        RuntimeError: if the tests fail without any change.
    """
    by_name = {module.name: module for module in modules}

    def told_of(found: tuple[str, str, int]) -> None:
        module = by_name[found[0]]
        told(module, found[1], modules[module][found[2]])

    early = _in_a_fork(lambda _: _run_by_loading(modules))
    again = _in_a_fork(lambda write: _with_tests_loaded(modules, early, write, jobs), told_of)
    forks = _Forks(jobs)
    with forks:
        for module, mutants in modules.items():
            for number, mutant in enumerate(mutants):
                if mutant.function is None or (module.name, number) in again:
                    forks.start(
                        lambda mutant=mutant, module=module: _loaded_again(module, mutant),
                        lambda outcome, mutant=mutant, module=module: told(module, outcome, mutant),
                        _LOADING,
                    )


def _pytest(tests: Iterable[str], *plugins: object) -> int:
    # A bare number of the exit, because a fork that has failed leaves by `os._exit`.
    return int(pytest.main([*_OPTIONS, *dict.fromkeys(tests)], plugins=plugins))


# -- what stands outside of functions, or runs before a test does --


def _run_by_loading(modules: Iterable[Module]) -> set[tuple[str, str]]:
    """Return the paths and the qualified names of the functions that run while the modules are loaded."""
    seen: set[tuple[str, str]] = set()
    sys.setprofile(lambda frame, *_: seen.add((frame.f_code.co_filename, frame.f_code.co_qualname)))
    for module in modules:
        importlib.import_module(module.name)
    sys.setprofile(None)
    return seen


def _loaded_again(module: Module, mutant: Mutant) -> int:
    signal.alarm(10 * _STUCK)
    changed = _Changed(module.name, str(module.path), mutant.source)
    return _pytest([module.own], changed) or (_pytest(module.more) if module.more else 0)


class _Changed(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """A plugin that gives one module with another source."""

    def __init__(self, name: str, path: str, source: str) -> None:
        self._name, self._path, self._source = name, path, source

    @pytest.hookimpl(tryfirst=True)
    def pytest_load_initial_conftests(self) -> None:
        sys.meta_path.insert(0, self)  # in front of pytest's own, which would take it as well

    def find_spec(self, fullname: str, path: object, target: object = None) -> ModuleSpec | None:
        del path, target
        return importlib.util.spec_from_loader(fullname, self) if fullname == self._name else None

    def exec_module(self, module: types.ModuleType) -> None:
        module.__file__ = self._path
        exec(compile(self._source, self._path, "exec"), module.__dict__)


# -- functions --


def _with_tests_loaded(
    modules: dict[Module, list[Mutant]], early: set[tuple[str, str]], write: Callable[[Any], object], jobs: int
) -> set[tuple[str, int]]:
    session = _Session(modules, early, write, jobs)
    tests = [*(module.own for module in modules), *(each for module in modules for each in module.more)]
    code = _pytest(tests, session)
    if code not in (0, 5) or session.again is None:
        raise RuntimeError(f"the tests do not pass unchanged: {code}")
    return session.again


class _Session:
    """A plugin that runs the tests of a session once for each mutant."""

    def __init__(
        self,
        modules: dict[Module, list[Mutant]],
        early: set[tuple[str, str]],
        write: Callable[[Any], object],
        jobs: int,
    ) -> None:
        self._modules = modules
        self._early = early
        self._write = write
        self._forks = _Forks(jobs)
        self._is_changed = False
        self.again: set[tuple[str, int]] | None = None

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        items = session.items
        paths = [str(module.path) for module in self._modules]
        seconds, seen = _in_a_fork(lambda _: _baseline(items, paths))
        self._is_changed = True
        self.again = set()
        functions_of = {path: _functions_of(path) for path in paths}  # which sees nothing that is frozen
        gc.collect()
        gc.freeze()
        with self._forks:
            for module, mutants in self._modules.items():
                functions, lines = functions_of[str(module.path)], seen[str(module.path)]
                for position, mutant in enumerate(mutants):
                    if mutant.function is None:
                        continue
                    function = functions[mutant.function]
                    try:
                        code = _code_of(mutant, str(module.path))
                    except SyntaxError:
                        self._write((module.name, "invalid", position))
                        continue
                    is_early = (str(module.path), mutant.function) in self._early
                    if is_early or code is None or code.co_freevars != function.__code__.co_freevars:
                        self.again.add((module.name, position))
                        continue
                    numbers = set().union(*(lines.get(line, ()) for line in mutant.lines))
                    chosen = _chosen(module, items, seconds, numbers)
                    tests = [(items[number], seconds[number]) for number in chosen]
                    self._forks.start(
                        lambda function=function, code=code, tests=tests: _changed(function, code, tests),
                        lambda outcome, name=module.name, at=position: self._write((name, outcome, at)),
                    )
        return True

    def pytest_collection(self) -> None:
        # After a failure no smaller example is looked for.
        phases = [phase for phase in settings.default.phases if phase not in {Phase.shrink, Phase.explain}]
        settings.register_profile("mutants", settings.default, phases=phases)
        settings.load_profile("mutants")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_makereport(self, call: pytest.CallInfo[None]) -> None:
        if self._is_changed and call.excinfo is not None and not call.excinfo.errisinstance((pytest.skip.Exception,)):
            os._exit(1)  # before a report of it is made, which takes longer than the test


def _chosen(module: Module, items: list[pytest.Item], seconds: list[float], numbers: Iterable[int]) -> list[int]:
    """Return the tests for a mutant: the module's own, and then the others, the quickest first, as far as they fit."""
    chosen: list[int] = []
    for limit, is_own in ((OWN_SECONDS, True), (MORE_SECONDS, False)):
        for number in sorted(
            (each for each in numbers if _is_own(module, items[each]) is is_own), key=seconds.__getitem__
        ):
            if (limit := limit - seconds[number]) < 0:
                break
            chosen.append(number)
    return chosen


def _is_own(module: Module, item: pytest.Item) -> bool:
    return item.path == Path(module.own).absolute()


def _changed(function: types.FunctionType, code: types.CodeType, tests: list[tuple[pytest.Item, float]]) -> int:
    """Run tests, which take so many seconds unchanged, with another code in a function."""
    function.__code__ = code
    for number, (item, seconds) in enumerate(tests):
        signal.alarm(_STUCK)
        signal.setitimer(signal.ITIMER_PROF, _TIMES * seconds + _PLUS)  # which ends the process
        following = tests[number + 1][0] if number + 1 < len(tests) else None
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
    return 0


def _baseline(items: list[pytest.Item], paths: list[str]) -> tuple[list[float], dict[str, dict[int, set[int]]]]:
    """Return the processor time of each test, and the tests that run each line of each path."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    measured = coverage.Coverage(data_file=None, config_file=False, include=paths)
    seconds: list[float] = []
    measured.start()
    for number, item in enumerate(items):
        start = time.process_time()
        measured.switch_context(str(number))
        following = items[number + 1] if number + 1 < len(items) else None
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if item.session.testsfailed:
            raise RuntimeError(f"{item.nodeid} does not pass unchanged")
        seconds.append(time.process_time() - start)
    measured.stop()
    data = measured.get_data()
    seen = {
        path: {line: {int(each) for each in tests if each} for line, tests in data.contexts_by_lineno(path).items()}
        for path in paths
    }
    return seconds, seen


def _functions_of(path: str) -> dict[str, types.FunctionType]:
    found: dict[str, types.FunctionType] = {}
    for each in gc.get_objects():
        if type(each) is types.FunctionType and each.__code__.co_filename == path:
            name = each.__code__.co_qualname  # of overloads the last one, which is the function itself
            if name not in found or found[name].__code__.co_firstlineno < each.__code__.co_firstlineno:
                found[name] = each
    return found


def _code_of(mutant: Mutant, path: str) -> types.CodeType | None:
    found = [code for code in _codes_in(compile(mutant.source, path, "exec")) if code.co_qualname == mutant.function]
    return max(found, key=lambda code: code.co_firstlineno, default=None)


def _codes_in(code: types.CodeType) -> Iterable[types.CodeType]:
    for each in code.co_consts:
        if isinstance(each, types.CodeType):
            yield each
            yield from _codes_in(each)


# -- forks --


class _Forks:
    """Runs some at the same time, and tells what came of each.

    Args:
        jobs: how many at the same time.
    """

    def __init__(self, jobs: int) -> None:
        self._jobs = jobs
        self._running: dict[int, Callable[[str], object]] = {}

    def start(self, call: Callable[[], int], done: Callable[[str], object], cpu_seconds: int | None = None) -> None:
        """Run something in a fork as soon as there is a place, and tell later what that says of the mutant."""
        while len(self._running) >= self._jobs:
            self._wait()
        if pid := os.fork():
            self._running[pid] = done
            return
        code = 1
        try:
            _hush()
            resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
            if cpu_seconds is not None:
                resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds))
            code = call()
        finally:
            os._exit(code)

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        while self._running:
            self._wait()

    def _wait(self) -> None:
        pid, status = os.wait()
        code = os.waitstatus_to_exitcode(status)
        is_late = code in {-signal.SIGPROF, -signal.SIGALRM, -signal.SIGXCPU, -signal.SIGKILL}
        self._running.pop(pid)("timeouts" if is_late else "killed" if code else "survived")


def _in_a_fork(call: Callable[[Callable[[Any], object]], Any], told: Callable[[Any], object] = lambda _: None) -> Any:
    """Return what a function returns in a fork, so that nothing of it stays here; and tell what it writes before."""
    reader, writer = os.pipe()
    if (pid := os.fork()) == 0:
        code = 1
        try:
            with os.fdopen(writer, "wb") as file:

                def write(found: Any) -> None:
                    pickle.dump(("told", found), file)
                    file.flush()

                pickle.dump(("returned", call(write)), file)
            code = 0
        except BaseException as exc:
            print(f"{type(exc).__name__}: {exc}", file=sys.__stderr__, flush=True)
        finally:
            os._exit(code)
    os.close(writer)
    with os.fdopen(reader, "rb") as file:
        while True:
            try:
                kind, found = pickle.load(file)
            except EOFError:
                kind, found = "died", None
            if kind != "told":
                break
            told(found)
    os.waitpid(pid, 0)
    if kind == "died":
        raise RuntimeError("the tests do not pass unchanged, or could not be run")
    return found


def _hush() -> None:
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
