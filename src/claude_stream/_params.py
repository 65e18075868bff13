"""What a type checker knows about `open_stream`: its clients, and the parameters of a request.

Never imported at run time: the SDK's own types are all there is to it.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import anthropic
from anthropic.lib.bedrock import AnthropicBedrock, AsyncAnthropicBedrock
from anthropic.lib.vertex import AnthropicVertex, AsyncAnthropicVertex
from anthropic.resources.beta import AsyncMessages as _BetaAsyncMessages
from anthropic.resources.beta import Messages as _BetaMessages
from anthropic.resources.messages import AsyncMessages, Messages
from anthropic.types.beta.message_create_params import MessageCreateParamsBase as _BetaBase
from anthropic.types.message_create_params import MessageCreateParamsBase as _Base

Client: TypeAlias = anthropic.Anthropic | AnthropicBedrock | AnthropicVertex | anthropic.AnthropicFoundry | Messages
AsyncClient: TypeAlias = (
    anthropic.AsyncAnthropic
    | AsyncAnthropicBedrock
    | AsyncAnthropicVertex
    | anthropic.AsyncAnthropicFoundry
    | AsyncMessages
)
BetaMessages: TypeAlias = _BetaMessages
BetaAsyncMessages: TypeAlias = _BetaAsyncMessages


class Params(_Base, total=False):
    """The parameters of ``client.messages.create``, ``stream`` excepted."""

    extra_headers: Any
    extra_query: Any
    extra_body: Any
    timeout: Any


class BetaParams(_BetaBase, total=False):
    """The parameters of ``client.beta.messages.create``, ``stream`` excepted."""

    extra_headers: Any
    extra_query: Any
    extra_body: Any
    timeout: Any
