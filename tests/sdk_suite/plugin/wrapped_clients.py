"""A pytest plugin for the SDK's own tests: every client that a test makes is a wrapped one.

The law: the tests see what a user sees who calls `wrap_client` on each client. Those that the SDK makes by itself,
for a copy, are the SDK's. It stands in a folder of its own because the SDK's tests are in a package `tests`, too.
"""

from __future__ import annotations

import sys
from typing import Any

import anthropic

from claude_stream import wrap_client


class Wrapping(type):
    """The metaclass of classes whose instances are wrapped as soon as they are made."""

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        client = super().__call__(*args, **kwargs)
        made_by = sys._getframe(1).f_globals.get("__name__", "")
        return client if made_by.partition(".")[0] == "anthropic" else wrap_client(client)


def _wrapping(cls: type) -> type:
    return Wrapping(cls.__name__, (cls,), {"__module__": cls.__module__, "__qualname__": cls.__qualname__})


CLIENTS = {
    each: _wrapping(each)
    for each in vars(anthropic).values()
    if isinstance(each, type) and hasattr(each, "messages") and hasattr(each, "with_options")
}

for module in [module for name, module in sys.modules.items() if name.partition(".")[0] == "anthropic"]:
    for name, value in list(vars(module).items()):
        if isinstance(value, type) and value in CLIENTS:
            setattr(module, name, CLIENTS[value])
