"""Composable iterators over the raw events of Claude's streaming Messages API.

>>> from claude_stream import iter_text
>>> stream = client.messages.create(
...     model="claude-sonnet-5-5", max_tokens=1024, messages=[{"role": "user", "content": "Hi"}], stream=True
... )
>>> for chunk in iter_text(stream):
...     print(chunk, end="", flush=True)
Hello, world!
"""

# Loading the SDK takes most of a second, and pytest loads this package whenever it starts, for the sake of its plugin.
# So what is public is loaded when the first name is asked for, and no sooner (PEP 562).
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._public import *  # noqa: F403 - its __all__ is this one
    from ._public import __all__ as __all__
else:

    def __getattr__(name: str) -> object:
        if name == "__all__" or not name.startswith("_"):
            from . import _public  # noqa: PLC0415 - see above

            globals().update({each: getattr(_public, each) for each in ("__all__", *_public.__all__)})
            if name in globals():
                return globals()[name]
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        return sorted({*globals(), *__getattr__("__all__")})
