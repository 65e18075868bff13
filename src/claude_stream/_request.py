"""One request as the SDK's `create` is to send it: checked, with its output format, by the right function.

The law: the SDK sends the request, and those who watch the call go on seeing it. Instrumentation patches `create`, on
the class or on one client; a patched one is called, and its answer is read as the patch hands it out. What the SDK says
of a call, errors and warnings, it says at the user's own line.
"""

from __future__ import annotations

import ast
import functools
import inspect
import sys
import types
from collections.abc import Callable, Mapping
from typing import Any

import anthropic
import pydantic

_CALL = compile("create(**params)", "", "eval")
_AWAIT = compile("await awaitable", "", "eval", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


class Caller:
    """The line that asked for the stream, for the SDK's warnings to point at.

    The SDK warns of deprecated models with a fixed ``stacklevel``, which would be a line of ours, and Python shows such
    a warning only where it points at the program's own code. So the call is made in a frame that stands at that line.

    Args:
        depth: how many calls are between that line and this one.
    """

    def __init__(self, depth: int) -> None:
        frame = sys._getframe(depth + 1)  # pyright: ignore[reportPrivateUsage] - what `warnings` itself uses
        self._file, self._line = frame.f_code.co_filename, frame.f_lineno
        self._globals = frame.f_globals

    def call(self, create: Callable[..., Any], params: Mapping[str, Any]) -> Any:
        """Return what ``create`` gives."""
        return self._run(_CALL, create=create, params=params)

    async def wait_for(self, awaitable: Any) -> Any:
        """Return what an awaitable gives. Its frame and the one behind it are those that the SDK may point at."""
        return await self._run(_AWAIT, awaitable=self._run(_AWAIT, awaitable=awaitable))

    def _run(self, code: types.CodeType, **names: Any) -> Any:
        code = code.replace(co_filename=self._file, co_firstlineno=self._line)
        return eval(code, self._globals, names)  # noqa: S307 - the code is one of the two lines at the top


def messages_of(client: Any) -> Any:
    """Return what has the `create` of a client, or of its messages.

    Raises:
        TypeError: if this is no client.
    """
    messages = getattr(client, "messages", client)
    refuse_class(client)
    if not hasattr(messages, "create"):
        raise TypeError(f"a client of the SDK was expected, or its messages, and this is {type(client).__name__}")
    return messages


def refuse_class(client: object) -> None:
    """Raise a TypeError for a class where a client belongs."""
    if isinstance(client, type):
        raise TypeError(f"a client was expected, and this is the class {client.__name__}: pass {client.__name__}()")


def is_async(messages: Any) -> bool:
    """Whether the requests of these messages are awaited, whatever a patch has made of their methods."""
    of_the_sdk = any(base.__name__ == "AsyncAPIResource" for base in type(messages).__mro__)
    return of_the_sdk or inspect.iscoroutinefunction(inspect.unwrap(messages.create))


def is_beta(messages: Any) -> bool:
    """Whether these are a client's ``beta.messages``."""
    return any("beta" in base.__module__ for base in type(messages).__mro__)


# -- whose function --


def is_watched(create: Any) -> bool:
    """Whether this is not simply the SDK's own method: somebody wants to see what it gives. In doubt, somebody does.

    Proxies pretend to be what they wrap, attributes and all, so that only exact types tell.
    """
    return type(create) is not types.MethodType or not _is_the_sdks(create.__func__)


def _is_the_sdks(function: Any) -> bool:
    if type(function) is not types.FunctionType:
        return False
    return str(function.__globals__.get("__name__")).startswith("anthropic.")


def unwatched(create: Any, messages: Any) -> Any:
    """Return the SDK's own method under patches, or ``create`` if there is none to be found."""
    own = own_function(messages, "create")
    return create if own is None else types.MethodType(own, messages)


def own_function(messages: object, name: str) -> Any:
    """Return the SDK's own function of that name, under whatever was put around it, or None."""
    for base in type(messages).__mro__:
        function = vars(base).get(name)
        while function is not None:
            if _is_the_sdks(function):
                return function
            function = getattr(function, "__wrapped__", None)
    return None


# -- what is asked --


def check(params: Mapping[str, Any], function: Any, name: str) -> None:
    """Refuse what a function of the SDK has no parameter for, and what lacks one, before anything is sent.

    Raises:
        TypeError: says which.
    """
    if function is None:  # a client that is none of the SDK's: its own `create` will say
        return
    try:
        _signature(function).bind(None, **params)
    except TypeError as exc:
        raise TypeError(f"{name}(): {exc}") from None


@functools.cache  # a handful of functions
def _signature(function: Any) -> inspect.Signature:
    return inspect.signature(function)


def with_format(params: Mapping[str, Any], output_format: Any, *, beta: bool) -> tuple[dict[str, Any], Any]:
    """Return the parameters with what the SDK's helper makes of ``output_format``, and what parses the text, or None.

    Raises:
        TypeError: for a dict, with SDKs since 1.0, and for a type of which no schema can be made.
        anthropic.AnthropicError: if a beta request has a format already.
    """
    if output_format is None or isinstance(output_format, (anthropic.Omit, anthropic.NotGiven)):
        return {**params}, None
    given: Any = params.get("output_config")
    config: dict[str, Any] = {**given} if isinstance(given, Mapping) else {}
    if beta and config.get("format") is not None:
        raise anthropic.AnthropicError(
            "Both output_format and output_config.format were provided. Please use only one of them."
        )
    adapter: pydantic.TypeAdapter[Any] | None = None
    if not isinstance(output_format, Mapping):
        adapter, schema = _schema_of(output_format)
        output_format = {"type": "json_schema", "schema": schema}
    elif not anthropic.__version__.startswith("0."):
        raise TypeError("output_format is a type: pass the dict of a schema as output_config={'format': ...}")
    return {**params, "output_config": {**config, "format": output_format}}, adapter


def _schema_of(output_format: Any) -> tuple[pydantic.TypeAdapter[Any], dict[str, Any]]:
    try:
        adapter = pydantic.TypeAdapter[Any](output_format)
        return adapter, anthropic.transform_schema(adapter.json_schema())
    except pydantic.errors.PydanticSchemaGenerationError as exc:
        raise TypeError(f"no JSON schema can be made of the output_format {output_format!r:.200}: {exc}") from exc
