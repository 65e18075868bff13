"""What foreign errors become: those of the transport, of the SDK, and of Bedrock's frames.

The law: classes are recognised by the names in their ancestry, since importing a transport package would tie us
to the one that the installed SDK uses. Whose errors count depends on the source: each of the three functions
at the top is one kind of source. What none of them knows is the user's own, and is returned as it is.
"""

from __future__ import annotations

import ast
import json

import anthropic

from ._errors import (
    StreamAPIError,
    StreamConnectionError,
    StreamError,
    StreamProtocolError,
    StreamTimeoutError,
    StreamTruncatedError,
    ToolInputError,
    api_error,
)

_TRANSPORTS = frozenset({"httpx", "httpx2", "httpcore", "httpcore2", "h11", "h2", "aiohttp", "anyio", "trio", "ssl"})

# How the SDK's MessageStream begins when it cannot parse a tool's input; the raw JSON stands at the end.
_SDK_TOOL_INPUT = "Unable to parse tool parameter JSON from model"


def from_events(exc: Exception) -> Exception:
    """Return ours for what a user's own iterable of events raised: the errors of SDK and transport that it lets out."""
    return exc if isinstance(exc, StreamError) else _transport_error(exc) or exc


def from_bytes(exc: Exception) -> Exception:
    """The same where bytes are read, and the built-in errors of plain sockets and files are the transport's."""
    return exc if isinstance(exc, StreamError) else _transport_error(exc, plain=True) or exc


def from_sdk(exc: Exception, number: int) -> StreamError:
    """Return ours for anything that reading one of the SDK's streams raised.

    Args:
        exc: the exception.
        number: of the event that was being read.
    """
    known = from_bytes(exc)
    if isinstance(known, StreamError):
        return known
    what = f"{type(exc).__name__}: {exc}"
    if (error := _bedrock_error(str(exc))) is not None:
        return error
    if isinstance(exc, UnicodeDecodeError) and exc.reason == "unexpected end of data":
        return StreamTruncatedError(f"the stream ended inside a character ({what})")
    if isinstance(exc, (json.JSONDecodeError, UnicodeDecodeError)):
        return StreamProtocolError(f"event {number}: its data is not valid JSON ({what})")
    if type(exc) is ValueError and str(exc).startswith(_SDK_TOOL_INPUT):
        # The SDK's MessageStream parses tool inputs whether or not anybody asks for them.
        return ToolInputError(f"the SDK cannot read a tool's input ({what})", raw=what.partition("JSON: ")[2])
    return StreamProtocolError(f"event {number} could not be read by the SDK ({what})")


def _bedrock_error(text: str) -> StreamAPIError | None:
    """Return the exception for a Bedrock exception frame, as SDKs before 1.13 show it: in a ValueError's text."""
    shown = text.partition("Bad response code, expected 200: ")[2]
    try:
        frame = ast.literal_eval(shown)
        headers = frame["headers"]
        kind = headers.get(":exception-type") or headers.get(":error-code")
        message = headers.get(":error-message") or json.loads(frame["body"]).get("message", "")
    except Exception:  # some other text
        return None
    return api_error({"type": "error", "error": {"type": kind, "message": message}})


def _transport_error(exc: Exception, *, plain: bool = False) -> StreamError | None:
    """Return ours for an error of the transport or the SDK, or None if ``exc`` is neither.

    With ``plain``, the built-in errors of sockets and files are the transport's.
    """
    ancestry = {base.__name__ for base in type(exc).__mro__ if base.__module__.partition(".")[0] in _TRANSPORTS}
    what = f"{type(exc).__name__}: {exc}".removesuffix(": ")
    if isinstance(exc, anthropic.APIStatusError):
        # One with another status came before the response began: it is the SDK's, and is left as it is.
        return api_error(exc.body) if exc.response.status_code == 200 else None
    timeouts = (anthropic.APITimeoutError, TimeoutError) if plain else anthropic.APITimeoutError
    if isinstance(exc, timeouts) or any("Timeout" in name for name in ancestry):
        return StreamTimeoutError(f"nothing more arrived in time ({what})")
    if "DecodingError" in ancestry:
        return StreamProtocolError(f"the body cannot be decoded ({what})")
    if isinstance(exc, anthropic.APIConnectionError) or ancestry or (plain and isinstance(exc, (OSError, EOFError))):
        return StreamConnectionError(f"the connection failed ({what})")
    if isinstance(exc, anthropic.APIError):
        return StreamProtocolError(f"the SDK could not read the stream ({what})")
    return None
