"""The packages that watch: what to install, how each is put on, and what it recorded.

The law: a package is put on as its documentation says, and nothing of it leaves the process: its records are taken
where it would have sent them.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from typing import Any

import anthropic

from claude_stream.testing import async_replay_client, replay_client
from tests.watchers.scenarios import WAYS, Record


class Package:
    """One package.

    Attributes:
        requirements: what pip is to install; the first is the package that the table names.
        ways: the ways to read that there are with it.
        output: how many output tokens it has of the whole stream, of 12.
        known: scenarios of ours, as ``way/mode/end`` with wildcards, in which it does not record what it should.
        note: why, and whether it does better with the SDK alone.
    """

    requirements: tuple[str, ...] = ()
    ways = tuple(WAYS)
    output = 12
    known: tuple[str, ...] = ()
    note = ""

    def client(self, recording: Any, *, is_async: bool) -> Any:
        """Return a client that answers from a recording, of the SDK's own class: some look at its name."""
        made: Any = self.classes()[is_async]
        return made(max_retries=0, **self.options(recording, is_async=is_async))

    def classes(self) -> tuple[Any, Any]:
        """Return the classes of the clients, sync and async."""
        return anthropic.Anthropic, anthropic.AsyncAnthropic

    def options(self, recording: Any, *, is_async: bool) -> dict[str, Any]:
        """Return what a client is made with."""
        replaying = (async_replay_client if is_async else replay_client)(recording)
        return {"api_key": "key", "http_client": replaying._client}

    def start(self) -> None:
        """Put the package on, as far as that is done once."""

    def watch(self, client: Any) -> Any:
        """Put it on a client, and return what the application goes on with."""
        return client

    def take(self) -> list[Record]:
        """Return what was recorded since the last time."""
        raise NotImplementedError


class _Spans(Package):
    """What records into OpenTelemetry's spans."""

    scope = ""

    def __init__(self) -> None:
        from opentelemetry.sdk.trace import SpanProcessor, TracerProvider

        spans: list[Any] = []

        class Keep(SpanProcessor):
            def on_start(self, span: Any, *_: Any, **__: Any) -> None:
                spans.append(span)

        self.spans = spans
        self.processor = Keep()
        self.provider = TracerProvider()
        self.provider.add_span_processor(self.processor)

    def take(self) -> list[Record]:
        taken = [span for span in self.spans if self.scope in span.instrumentation_scope.name]
        self.spans.clear()
        return [record for span in taken if (record := self.record(span)) is not None]

    def record(self, span: Any) -> Record | None:
        """Return what is in a span."""
        record = self.content(dict(span.attributes or {}))
        record.outcome = "open" if span.end_time is None else span.status.status_code.name.lower()
        if span.end_time is not None:
            record.seconds = (span.end_time - span.start_time) / 1e9
        return record

    def content(self, attributes: dict[str, Any]) -> Record:
        """Return text and tokens by OpenTelemetry's conventions."""
        return Record(
            _text(attributes.get("gen_ai.output.messages")),
            attributes.get("gen_ai.usage.input_tokens"),
            attributes.get("gen_ai.usage.output_tokens"),
        )


class OpenTelemetry(_Spans):
    """Traceloop's instrumentor: it patches the classes."""

    requirements = ("opentelemetry-instrumentation-anthropic", "opentelemetry-sdk")
    output = 13
    known = ("*/sync/cut", "*/sync/error", "*/left")
    note = (
        "It never ends the span of a sync stream that fails, nor of any that is left, and adds the placeholder of "
        "`message_start` to the output tokens. The same without us; but there, a cut stream is a success."
    )
    scope = "anthropic"

    def start(self) -> None:
        from opentelemetry.instrumentation.anthropic import AnthropicInstrumentor

        AnthropicInstrumentor().instrument(tracer_provider=self.provider)


class OpenInference(_Spans):
    """Arize's instrumentor: it patches the classes."""

    requirements = ("openinference-instrumentation-anthropic", "opentelemetry-sdk")
    scope = "anthropic"

    def start(self) -> None:
        from openinference.instrumentation.anthropic import AnthropicInstrumentor

        AnthropicInstrumentor().instrument(tracer_provider=self.provider)

    def content(self, attributes: dict[str, Any]) -> Record:
        text = next(
            (
                str(value)
                for key, value in sorted(attributes.items())
                if key.startswith("llm.output_messages.0.")
                and key.endswith(("message.content", "message_content.text"))
            ),
            "",
        )
        return Record(text, attributes.get("llm.token_count.prompt"), attributes.get("llm.token_count.completion"))


class Langfuse(OpenInference):
    """Langfuse, which has calls to Claude by OpenInference's instrumentor."""

    requirements = ("langfuse", "openinference-instrumentation-anthropic")

    def start(self) -> None:
        import langfuse
        from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

        self.exporter = InMemorySpanExporter()
        self.langfuse = langfuse.Langfuse(
            public_key="pk", secret_key="sk", tracer_provider=self.provider, span_exporter=self.exporter
        )
        super().start()

    def take(self) -> list[Record]:
        open_ones = [span for span in self.spans if span.end_time is None]
        self.langfuse.flush()
        self.spans[:] = [*self.exporter.get_finished_spans(), *open_ones]
        self.exporter.clear()
        return super().take()


class Logfire(_Spans):
    """Logfire: it patches `request` of the client classes, and hands the SDK a stream class of its own."""

    requirements = ("logfire",)

    def start(self) -> None:
        import logfire
        from anthropic import Anthropic, AsyncAnthropic

        logfire.configure(
            send_to_logfire=False, console=False, additional_span_processors=[self.processor], inspect_arguments=False
        )
        logfire.instrument_anthropic([Anthropic, AsyncAnthropic])

    def record(self, span: Any) -> Record | None:
        """Return the log of the response: the span of the request, beside it, ends before the response begins."""
        attributes = dict(span.attributes or {})
        if "duration" not in attributes:
            return None
        record = self.content(attributes)
        if not record.text:
            data = attributes.get("response_data", "{}")
            record.text = json.loads(data).get("combined_chunk_content", "")
        record.outcome = "error" if span.status.status_code.name == "ERROR" or "error.type" in attributes else "ok"
        record.seconds = float(attributes["duration"])
        return record


class Sentry(Package):
    """Sentry: it patches the classes, of the streams as well."""

    requirements = ("sentry-sdk",)
    note = "No status is its success: it sets one for errors only."

    def start(self) -> None:
        import sentry_sdk
        from sentry_sdk.integrations.anthropic import AnthropicIntegration
        from sentry_sdk.transport import Transport

        envelopes: list[Any] = []

        class Keep(Transport):
            def capture_envelope(self, envelope: Any) -> None:
                envelopes.append(envelope)

        sentry_sdk.init(
            dsn="https://key@localhost/1",
            transport=Keep,
            traces_sample_rate=1.0,
            send_default_pii=True,
            default_integrations=False,
            integrations=[AnthropicIntegration()],
        )
        self.envelopes = envelopes
        self.transaction = sentry_sdk.start_transaction(name="test")
        self.transaction.__enter__()

    def take(self) -> list[Record]:
        import sentry_sdk

        recorded = [span for span in self.transaction._span_recorder.spans if span.op == "gen_ai.chat"]
        self.transaction.__exit__(None, None, None)
        self.transaction = sentry_sdk.start_transaction(name="test")
        self.transaction.__enter__()
        return [self._record(span) for span in recorded]

    def _record(self, span: Any) -> Record:
        ended = span.timestamp is not None
        failed = span.status not in (None, "ok")
        return Record(
            _text(span._data.get("gen_ai.output.messages")),
            span._data.get("gen_ai.usage.input_tokens"),
            span._data.get("gen_ai.usage.output_tokens"),
            ("error" if failed else span.status or "unset") if ended else "open",
            (span.timestamp - span.start_timestamp).total_seconds() if ended else None,
        )


class Ddtrace(Package):
    """Datadog: it patches the classes."""

    requirements = ("ddtrace",)

    def start(self) -> None:
        os.environ.update(DD_TRACE_ENABLED="true", DD_INSTRUMENTATION_TELEMETRY_ENABLED="false")
        os.environ.update(DD_REMOTE_CONFIGURATION_ENABLED="false", DD_TRACE_STARTUP_LOGS="false")
        from ddtrace import patch
        from ddtrace.llmobs import LLMObs

        patch(anthropic=True)
        from ddtrace.llmobs import _processor as processor

        self.events: list[Any] = []
        events = self.events

        def route(_: Any, span: Any, *__: Any) -> None:
            if (event := span._get_ctx_item(processor.CACHED_LLMOBS_EVENT_CTX_KEY)) is not None:
                events.append(event)

        processor.LLMObsProcessor._route_span = route
        LLMObs.enable(
            ml_app="test", agentless_enabled=True, api_key="key", site="localhost", integrations_enabled=False
        )

    def take(self) -> list[Record]:
        events, self.events[:] = self.events[:], []
        return [self._record(event) for event in events]

    def _record(self, event: Any) -> Record:
        output = event["meta"].get("output", {}).get("messages", [])
        return Record(
            "".join(str(message.get("content", "")) for message in output),
            event["metrics"].get("input_tokens"),
            event["metrics"].get("output_tokens"),
            event["status"],
            event["duration"] / 1e9,
        )


class PostHog(Package):
    """PostHog: it is a subclass of the client."""

    requirements = ("posthog",)
    known = ("iter_text/*/cut",)
    note = (
        "What its `create` returns is an iterable of its own, in which a cut stream ends as it does for the SDK. "
        "`open_stream` and `wrap_client` take its client as any other."
    )
    ways = tuple(way for way in WAYS if way != "wrap_first")  # it is a client, and goes around none

    def __init__(self) -> None:
        self.events: list[Any] = []

    def classes(self) -> tuple[Any, Any]:
        from posthog.ai import anthropic as watching

        return watching.Anthropic, watching.AsyncAnthropic

    def options(self, recording: Any, *, is_async: bool) -> dict[str, Any]:
        from posthog import Posthog

        events = self.events

        class Keep(Posthog):
            def capture(self, *_: Any, **options: Any) -> None:
                events.append(options["properties"])

        keep = Keep("key", host="http://localhost", sync_mode=True)
        return {**super().options(recording, is_async=is_async), "posthog_client": keep}

    def take(self) -> list[Record]:
        events, self.events[:] = self.events[:], []
        return [self._record(event) for event in events]

    def _record(self, event: Any) -> Record:
        return Record(
            _text(event.get("$ai_output_choices")),
            event.get("$ai_input_tokens"),
            event.get("$ai_output_tokens"),
            "error" if event.get("$ai_is_error") or event.get("$ai_http_status", 200) >= 400 else "ok",
            event.get("$ai_latency"),
        )


class LangSmith(Package):
    """LangSmith: it patches one client."""

    requirements = ("langsmith",)
    known = ("open_stream/*", "package_first/*", "iter_text/*")
    note = (
        "Its patched `create(stream=True)` fails behind the last event, with SDKs since 1.5: it calls an internal of "
        "the SDK that has another parameter now. So wrap first: then it watches our `messages.stream` as it does the "
        "SDK's."
    )

    def start(self) -> None:
        os.environ.update(LANGSMITH_TRACING="true", LANGSMITH_API_KEY="key")
        import langsmith

        runs: dict[Any, dict[str, Any]] = {}

        class Keep(langsmith.Client):
            def create_run(self, *_: Any, **run: Any) -> None:
                runs[run["id"]] = run

            def update_run(self, run_id: Any, **rest: Any) -> None:
                runs[run_id].update(rest)

        self.runs = runs
        self.langsmith = Keep(api_url="http://localhost:1", auto_batch_tracing=False, info={})

    def watch(self, client: Any) -> Any:
        from langsmith.wrappers import wrap_anthropic

        return wrap_anthropic(client, tracing_extra={"client": self.langsmith})

    def take(self) -> list[Record]:
        runs = [run for run in self.runs.values() if run["run_type"] == "llm"]
        self.runs.clear()
        return [self._record(run) for run in runs]

    def _record(self, run: dict[str, Any]) -> Record:
        outputs = run.get("outputs") or {}
        usage = outputs.get("usage_metadata") or {}
        ended = run.get("end_time")
        return Record(
            _text(outputs.get("content") or outputs.get("output")),
            usage.get("input_tokens"),
            usage.get("output_tokens"),
            "open" if ended is None else "error" if run.get("error") else "ok",
            None if ended is None else (ended - run["start_time"]).total_seconds(),
        )


class Opik(Package):
    """Opik: it patches one client, and marks the streams that the patched stream classes are to watch."""

    requirements = ("opik",)
    known = ("wrap_first/*",)
    note = (
        "Put on a wrapped client, it takes our stream's manager for the SDK's, whose class it patches, and its record "
        "never ends. That is worse than before our streams were instances of the SDK's classes, when the record ended "
        "at once, as a success with no text and no tokens. So put it on first: `wrap_client(track_anthropic(client))`."
    )

    def start(self) -> None:
        os.environ.update(OPIK_URL_OVERRIDE="http://localhost:1", OPIK_SENTRY_ENABLE="false", OPIK_API_KEY="key")
        os.environ.update(OPIK_ANALYTICS_ENABLE="false", OPIK_TRACK_DISABLE="false")
        from opik.api_objects import opik_client
        from opik.message_processing.emulation import local_emulator_message_processor as emulator

        self.processor = emulator.LocalEmulatorMessageProcessor(active=True)
        self.streamer = opik_client.get_global_client()._streamer
        processor = self.processor
        self.streamer.put = processor.process

    def watch(self, client: Any) -> Any:
        from opik.integrations.anthropic import track_anthropic

        return track_anthropic(client)

    def take(self) -> list[Record]:
        spans = self.processor.span_trees
        self.processor.reset()
        return [self._record(span) for span in spans]

    def _record(self, span: Any) -> Record:
        usage = span.usage or {}
        return Record(
            _text((span.output or {}).get("content")),
            usage.get("prompt_tokens"),
            usage.get("completion_tokens"),
            "open" if span.end_time is None else "error" if span.error_info else "ok",
            None if span.end_time is None else (span.end_time - span.start_time).total_seconds(),
        )


class Braintrust(Package):
    """Braintrust: it stands in front of one client."""

    requirements = ("braintrust", "pytest")  # its helpers for tests want that
    known = ("package_first/*", "iter_text/sync/*", "iter_text/async/cut")
    note = (
        "Its client is a stand-in that nobody else can copy: `wrap_client` refuses it, and says so; `open_stream` "
        "takes it. What its `create` returns is an iterable of its own, in which a cut stream ends as it does for the "
        "SDK; the sync one has an `__await__` besides, and `iter_text` takes it for one that is to be awaited."
    )

    def start(self) -> None:
        from braintrust import logger, test_helpers

        test_helpers.simulate_login()
        test_helpers.init_test_logger("test")
        self.stack = contextlib.ExitStack()
        self.memory = self.stack.enter_context(logger._internal_with_memory_background_logger())

    def watch(self, client: Any) -> Any:
        import braintrust

        return braintrust.wrap_anthropic(client)

    def take(self) -> list[Record]:
        return [self._record(row) for row in self.memory.pop()]

    def _record(self, row: dict[str, Any]) -> Record:
        metrics = row.get("metrics", {})
        ended = metrics.get("end")
        return Record(
            _text((row.get("output") or {}).get("content")),
            None if (tokens := metrics.get("prompt_tokens")) is None else int(tokens),
            None if (tokens := metrics.get("completion_tokens")) is None else int(tokens),
            "open" if ended is None else "error" if row.get("error") else "ok",
            None if ended is None else ended - metrics["start"],
        )


class MLflow(Package):
    """MLflow: it patches the classes. It says that it records no streams."""

    requirements = ("mlflow-skinny",)
    known = ("*",)
    note = (
        "It records `create`, whose span ends before the stream begins, as a success; of the SDK's helper it records "
        "nothing. Its documentation says that it records no streams."
    )

    def start(self) -> None:
        os.environ.update(MLFLOW_DISABLE_TELEMETRY="true", DO_NOT_TRACK="true", MLFLOW_ALLOW_FILE_STORE="true")
        import mlflow

        self.spans: list[Any] = []
        mlflow.set_tracking_uri(f"file:{tempfile.mkdtemp()}")
        mlflow.tracing.configure(span_processors=[self.spans.append])
        mlflow.anthropic.autolog()

    def take(self) -> list[Record]:
        spans, self.spans[:] = self.spans[:], []
        return [self._record(span) for span in spans]

    def _record(self, span: Any) -> Record:
        usage = span.get_attribute("mlflow.chat.tokenUsage") or {}
        shown = _text(span.outputs)  # of a stream, it has the object's repr
        return Record(
            "" if shown.startswith("<") else shown,
            usage.get("input_tokens"),
            usage.get("output_tokens"),
            str(getattr(span.status.status_code, "value", span.status.status_code)).lower(),
            (span.end_time_ns - span.start_time_ns) / 1e9,
        )


def _text(value: Any) -> str:
    """Return all text in what a package has of a message."""
    if isinstance(value, str):
        with contextlib.suppress(ValueError):
            decoded = json.loads(value)
            if not isinstance(decoded, (str, int, float)):
                return _text(decoded)
        return value
    if isinstance(value, (list, tuple)):
        return "".join(map(_text, value))
    if isinstance(value, dict):
        found = next((value[key] for key in ("parts", "content", "text", "delta") if value.get(key)), "")
        return _text(found)
    return _text(vars(value)) if hasattr(value, "__dict__") else ""


PACKAGES: dict[str, type[Package]] = {
    "opentelemetry": OpenTelemetry,
    "openinference": OpenInference,
    "langfuse": Langfuse,
    "ddtrace": Ddtrace,
    "sentry": Sentry,
    "logfire": Logfire,
    "posthog": PostHog,
    "langsmith": LangSmith,
    "opik": Opik,
    "braintrust": Braintrust,
    "mlflow": MLflow,
}
