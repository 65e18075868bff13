"""What a type checker knows about `open_stream`: its clients, and the parameters of a request.

Never imported at run time: the SDK's own types are all there is to it. A client is told by what its ``messages.stream``
gives, so that those which the SDK adds are clients as well. The parameters are written down, because the SDK's own
typed dicts do not know ``omit``; a test holds them to the signature of `create`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, Protocol, TypeAlias

from anthropic import AnthropicFoundry, AsyncAnthropicFoundry, Omit, types
from anthropic.lib import streaming as sdk
from anthropic.types import beta
from anthropic.types.anthropic_beta_param import AnthropicBetaParam
from anthropic.types.beta import message_create_params as beta_create
from typing_extensions import Required, TypedDict


class Messages(Protocol):
    """A client's ``messages``."""

    def stream(self, *args: Any, **params: Any) -> sdk.MessageStreamManager[Any]: ...


class AsyncMessages(Protocol):
    """An async client's ``messages``."""

    def stream(self, *args: Any, **params: Any) -> sdk.AsyncMessageStreamManager[Any]: ...


class BetaMessages(Protocol):
    """A client's ``beta.messages``."""

    def stream(self, *args: Any, **params: Any) -> sdk.BetaMessageStreamManager[Any]: ...


class AsyncBetaMessages(Protocol):
    """An async client's ``beta.messages``."""

    def stream(self, *args: Any, **params: Any) -> sdk.BetaAsyncMessageStreamManager[Any]: ...


class HasMessages(Protocol):
    """A client."""

    @property
    def messages(self) -> Messages: ...


class HasAsyncMessages(Protocol):
    """An async client."""

    @property
    def messages(self) -> AsyncMessages: ...


class HasBetaMessages(Protocol):
    """A client's ``beta``."""

    @property
    def messages(self) -> BetaMessages: ...


class HasAsyncBetaMessages(Protocol):
    """An async client's ``beta``."""

    @property
    def messages(self) -> AsyncBetaMessages: ...


# Foundry's clients have their messages declared in a way that pyright cannot follow.
Client: TypeAlias = HasMessages | Messages | AnthropicFoundry
AsyncClient: TypeAlias = HasAsyncMessages | AsyncMessages | AsyncAnthropicFoundry
BetaClient: TypeAlias = HasBetaMessages | BetaMessages
AsyncBetaClient: TypeAlias = HasAsyncBetaMessages | AsyncBetaMessages


class _Common(TypedDict, total=False):
    """What stable and beta requests share, and the options of `open_stream`."""

    max_tokens: Required[int]
    model: Required[types.ModelParam]
    inference_geo: str | Omit | None
    service_tier: Literal["auto", "standard_only"] | Omit
    speed: Literal["standard", "fast"] | Omit | None
    stop_sequences: list[str] | tuple[str, ...] | Omit
    temperature: float | Omit  # this and the next two: of SDKs and models that take them
    top_k: int | Omit
    top_p: float | Omit
    user_profile_id: str | Omit
    workspace_id: str | Omit
    extra_headers: Any
    extra_query: Any
    extra_body: Any
    timeout: Any
    strict: bool
    restarts: int
    first_timeout: float | None
    idle_timeout: float | None
    silent_timeout: float | None


class Params(_Common, total=False):
    """The parameters of ``client.messages.create``, ``stream`` excepted."""

    messages: Required[Iterable[types.MessageParam]]
    cache_control: types.CacheControlEphemeralParam | Omit | None
    container: Any
    diagnostics: types.DiagnosticsParam | Omit | None
    metadata: types.MetadataParam | Omit
    output_config: types.OutputConfigParam | Omit
    system: str | Iterable[types.TextBlockParam] | Omit
    thinking: types.ThinkingConfigParam | Omit
    tool_choice: types.ToolChoiceParam | Omit
    tools: Iterable[types.ToolUnionParam] | Omit


class BetaParams(_Common, total=False):
    """The parameters of ``client.beta.messages.create``, ``stream`` excepted."""

    messages: Required[Iterable[beta.BetaMessageParam]]
    betas: list[AnthropicBetaParam] | Omit
    billing_policy: beta.BetaBillingPolicyParam | Omit | None
    cache_control: beta.BetaCacheControlEphemeralParam | Omit | None
    compaction: beta.BetaCompactionConfigParam | Omit | None
    container: beta_create.Container | Omit | None
    context_management: beta.BetaContextManagementConfigParam | Omit | None
    diagnostics: beta.BetaDiagnosticsParam | Omit | None
    fallback_credit_token: beta_create.FallbackCreditToken | Omit | None
    fallbacks: beta.BetaFallbacksParam | Omit | None
    mcp_servers: Iterable[beta.BetaRequestMCPServerURLDefinitionParam] | Omit
    metadata: beta.BetaMetadataParam | Omit
    output_config: beta.BetaOutputConfigParam | Omit
    system: str | Iterable[beta.BetaTextBlockParam] | Omit
    thinking: beta.BetaThinkingConfigParam | Omit
    thread: beta.BetaMessageThreadParam | Omit | None
    tool_choice: beta.BetaToolChoiceParam | Omit
    tools: Iterable[beta.BetaToolUnionParam] | Omit
