"""What the platform tells its operators: logs, metrics, traces.

Traces: a `traceparent` (W3C Trace Context) is always carried from request to event to consumer; it
costs microseconds. Spans are recorded only where `RENKEI_OTLP_ENDPOINT` is set.
"""

import logging
import os
import re
import secrets
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Literal

import structlog
from prometheus_client import Counter, Gauge, Histogram

from shared.settings import Settings

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

HTTP_SECONDS: Final = Histogram(
    "http_server_request_duration_seconds",
    "Time from the request to the end of its answer",
    ("method", "route", "code"),
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
HTTP_IN_FLIGHT: Final = Gauge("http_server_in_flight_requests", "Requests at work or waiting")
HTTP_SHED: Final = Counter("http_server_shed_requests_total", "Requests refused for overload")
IDEMPOTENCY_REPLAYS: Final = Counter("idempotency_replays_total", "Answers given a second time")
REFUSALS: Final = Counter("refusals_total", "Requests refused", ("code",))
ODD_INPUT: Final = Counter(
    "unforeseen_input_total", "Input that the database refused and our checks had let through"
)
OUTBOX_PENDING: Final = Gauge("outbox_pending_events", "Events that wait to be sent")
OUTBOX_OLDEST_SECONDS: Final = Gauge("outbox_oldest_pending_age_seconds", "Age of the oldest")
OUTBOX_PUBLISHED: Final = Counter("outbox_published_total", "Events sent")
OUTBOX_PUBLISH_FAILURES: Final = Counter(
    "outbox_publish_failures_total", "Attempts to send that failed", ("reason",)
)
RELAY_ACTIVE: Final = Gauge("relay_active", "1 where this process holds the relay's lock")
EVENT_SECONDS: Final = Histogram(
    "event_processing_duration_seconds", "Time to handle a batch of events", ("consumer",)
)
EVENTS_PROCESSED: Final = Counter(
    "events_processed_total", "Events handled", ("consumer", "result")
)
CONSUMER_LAG: Final = Gauge("consumer_lag_events", "Events not yet delivered", ("consumer",))
DEAD_LETTERS: Final = Counter("dead_letter_events_total", "Events given up", ("consumer",))
NATS_CONNECTED: Final = Gauge("nats_connected", "1 while connected to the broker")
NATS_RECONNECTS: Final = Counter("nats_reconnects_total", "Connections regained")

NOISY: Final = ("authlib", "nats", "_granian", "granian", "httpx2", "asyncio", "alembic")
"""Authlib's debug lines hold tokens; the others repeat what we say ourselves."""

SECRET_NAMES: Final = ("secret", "password", "authorization", "token", "private_key", "cookie")


SECRET_TEXT: Final = re.compile(
    r"(?<=://)[^/@\s]+(?=@)"  # user and password in an address
    r"|(?<=earer )\S+"
    r"|eyJ[\w-]+\.[\w-]+\.[\w-]*"  # a JWT
    r"|rk[a-z]_[\w-]{20,}"  # what is shown once and kept as a hash
)


def without_secrets(text: str) -> str:
    """Give a text, such as a path, without what in it nobody else may know."""
    # Few texts hold any of these, and finding out is a hundred times faster than the pattern.
    if (
        "://" in text
        or "earer " in text
        or "eyJ" in text
        or "rkc_" in text
        or "rkp_" in text
        or "rkw_" in text
    ):
        return SECRET_TEXT.sub("…", text)
    return text


def _redact(_: Any, __: str, entry: Any) -> Any:
    for name, value in entry.items():
        entry[name] = _redacted(name, value)
    return entry


def _redacted(name: str, value: Any) -> Any:
    if _names_a_secret(name):
        return "…"
    if isinstance(value, str):
        return without_secrets(value)
    if isinstance(value, dict):
        return {key: _redacted(str(key), inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_redacted("", inner) for inner in value]
    return value


@lru_cache(maxsize=1000)
def _names_a_secret(name: str) -> bool:
    lowered = name.lower()
    return any(part in lowered for part in SECRET_NAMES)


def _redact_traceback(_: Any, __: str, entry: Any) -> Any:
    if "exception" in entry:
        entry["exception"] = SECRET_TEXT.sub("…", entry["exception"])
    return entry


def _trace(_: Any, __: str, entry: Any) -> Any:
    traceparent = _current.get()
    if traceparent is not None:
        entry["trace_id"] = traceparent[3:35]
    return entry


def configure_logging(settings: Settings, *, process: str) -> None:
    """Write structured lines to standard error: JSON, or for people with colours."""

    def name(_: Any, __: str, entry: Any) -> Any:
        entry["process"] = process
        return entry

    shared: list[Any] = [
        name,
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _trace,
        _redact,
    ]
    console = settings.log_format == "console"
    renderer: list[Any] = (
        [
            # The renderer's own choice would show local variables, and secrets among them.
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
            )
        ]
        if console
        else [
            structlog.processors.format_exc_info,
            _redact_traceback,
            structlog.processors.JSONRenderer(),
        ]
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level.upper())
    # Each line would find out these, and none shows them.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    for noisy in NOISY:
        logging.getLogger(noisy).setLevel(logging.WARNING)


_current: ContextVar[str | None] = ContextVar("traceparent", default=None)
_tracer: "Tracer | None" = None


def current_traceparent() -> str | None:
    """The trace that this task works in, as a W3C `traceparent`."""
    return _current.get()


def configure_tracing(settings: Settings, *, process: str) -> None:
    """Send spans to the collector, if one is set. Imports nothing heavy otherwise."""
    global _tracer  # noqa: PLW0603 -- one per process, set once at start
    if settings.otlp_endpoint is None:
        return
    from opentelemetry import trace  # noqa: PLC0415
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415
        OTLPSpanExporter,
    )
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    provider = TracerProvider(
        resource=Resource.create({"service.name": process, "service.namespace": "renkei"})
    )
    provider.add_span_processor(
        BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{settings.otlp_endpoint}/v1/traces"))
    )
    trace.set_tracer_provider(provider)
    _tracer = trace.get_tracer("renkei")


SpanKind = Literal["server", "producer", "consumer", "client"]


@contextmanager
def span(
    name: str,
    *,
    kind: SpanKind,
    parent: str | None = None,
    links: Sequence[str | None] = (),
    attributes: dict[str, Any] | None = None,
) -> Iterator[Any]:
    """Work within a trace: a new one, or the one that `parent` (a `traceparent`) belongs to.

    Yields:
        The OpenTelemetry span, or nothing where traces are not recorded.
    """
    if _tracer is None:
        token = _current.set(_continued(parent))
        try:
            yield None
        finally:
            _current.reset(token)
        return
    from opentelemetry import trace  # noqa: PLC0415

    context = (
        trace.set_span_in_context(trace.NonRecordingSpan(_context_of(parent)))
        if parent and is_traceparent(parent)
        else None
    )
    with _tracer.start_as_current_span(
        name,
        context=context,
        kind=getattr(trace.SpanKind, kind.upper()),
        links=[trace.Link(_context_of(link)) for link in links if link and is_traceparent(link)],
        attributes=attributes,
    ) as recorded:
        found = recorded.get_span_context()
        flags = "01" if found.trace_flags.sampled else "00"
        token = _current.set(f"00-{found.trace_id:032x}-{found.span_id:016x}-{flags}")
        try:
            yield recorded
        finally:
            _current.reset(token)


def _continued(parent: str | None) -> str:
    if parent and is_traceparent(parent):
        # Whoever asked for recording gets it from those who can, also past us.
        return f"{parent[:36]}{secrets.token_hex(8)}{parent[52:]}"
    return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-00"


def _context_of(traceparent: str) -> Any:
    from opentelemetry import trace  # noqa: PLC0415

    return trace.SpanContext(
        trace_id=int(traceparent[3:35], 16),
        span_id=int(traceparent[36:52], 16),
        is_remote=True,
        trace_flags=trace.TraceFlags(int(traceparent[53:55], 16)),
    )


def is_traceparent(value: str) -> bool:
    """Tell whether this is a usable `traceparent` of version 00. Source: W3C Trace Context."""
    parts = value.split("-")
    if [len(part) for part in parts] != [2, 32, 16, 2] or parts[0] != "00":
        return False
    if not all(set(part) <= set("0123456789abcdef") for part in parts):
        return False
    return set(parts[1]) != {"0"} and set(parts[2]) != {"0"}


def build_info() -> dict[str, str]:
    """What `renkei doctor` and the start line say about this build."""
    return {"version": "0.1.0", "python": sys.version.split()[0], "pid": str(os.getpid())}
