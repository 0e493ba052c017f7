"""What operators are told: one trace from the request to the last consumer, and no secrets."""

import io
import json
import logging
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
import structlog
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from shared import telemetry
from shared.database import connect
from shared.telemetry import configure_logging, current_traceparent, is_traceparent, span
from tests.shared.things import Place, ThingEvent
from tests.shared.things_api import client_of
from tests.shared.waiting import becomes, running
from tests.web import token

TRACE, PARENT = "a" * 32, "b" * 16
INCOMING = f"00-{TRACE}-{PARENT}-01"

NO_TRACEPARENTS = [
    "",
    "x",
    INCOMING.upper(),
    INCOMING[:-1],
    INCOMING + "-01",
    f"01-{TRACE}-{PARENT}-01",
    f"ff-{TRACE}-{PARENT}-01",
    f"00-{'0' * 32}-{PARENT}-01",
    f"00-{TRACE}-{'0' * 16}-01",
    f"00-{TRACE}-{PARENT}-zz",
    f"00_{TRACE}_{PARENT}_01",
    f"00-{TRACE[:-1]}g-{PARENT}-01",
    f" {INCOMING}",
    "00-" + "a" * 5000,
]


# --- traces -------------------------------------------------------------------------------------


def test_a_traceparent_is_known_by_its_form() -> None:
    assert is_traceparent(INCOMING)
    assert [value for value in NO_TRACEPARENTS if is_traceparent(value)] == []


@pytest.fixture(params=["passed on", "recorded"])
def recorded(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> InMemorySpanExporter | None:
    """Run a test without a collector, and with one."""
    if request.param == "passed on":
        return None
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(telemetry, "_tracer", provider.get_tracer("tests"))
    return exporter


def test_work_continues_the_trace_that_it_is_given(recorded: InMemorySpanExporter | None) -> None:
    with span("work", kind="server", parent=INCOMING):
        inside = current_traceparent()

    assert inside is not None
    assert is_traceparent(inside)
    assert inside.startswith(f"00-{TRACE}-")
    assert inside.endswith("-01")
    assert inside[36:52] != PARENT
    assert current_traceparent() is None
    if recorded is not None:
        [found] = recorded.get_finished_spans()
        assert found.parent is not None
        assert f"{found.parent.span_id:016x}" == PARENT


@pytest.mark.parametrize("parent", [None, *NO_TRACEPARENTS])
def test_work_without_a_usable_trace_begins_one(
    recorded: InMemorySpanExporter | None, parent: str | None
) -> None:
    with span("work", kind="server", parent=parent, links=[parent, INCOMING]):
        inside = current_traceparent() or ""

    assert is_traceparent(inside)
    assert TRACE not in inside
    if recorded is not None:
        [found] = recorded.get_finished_spans()
        assert [f"{link.context.trace_id:032x}" for link in found.links] == [TRACE]


@pytest.mark.usefixtures("recorded")
def test_a_fault_ends_its_span() -> None:
    with pytest.raises(ValueError, match="fault"), span("work", kind="server", parent=INCOMING):
        raise ValueError("fault")

    assert current_traceparent() is None


async def test_one_trace_leads_from_the_request_to_the_last_consumer(
    place: Place, recorded: InMemorySpanExporter | None
) -> None:
    seen: list[str | None] = []

    async def look(session: AsyncSession, events: Sequence[ThingEvent]) -> None:
        del session
        seen.extend([current_traceparent(), *(event.traceparent for event in events)])

    async with (
        client_of(place) as client,
        running(place.relay().run(), place.consumer(place.reaction(look)).run()),
    ):
        await client.post(
            "/api/v1/things", json={"title": "Pier"}, headers={"traceparent": INCOMING}
        )
        await becomes(lambda: length(seen), 2)

    assert [traceparent and traceparent[:35] for traceparent in seen] == [f"00-{TRACE}"] * 2
    if recorded is not None:
        spans = {found.name: found for found in recorded.get_finished_spans()}
        assert kinds(spans.values()) == {
            "POST /api/v1/things": SpanKind.SERVER,
            "process tally": SpanKind.CONSUMER,
        }
        attributes = spans["POST /api/v1/things"].attributes or {}
        assert attributes["http.response.status_code"] == 201
        assert attributes["http.route"] == "/api/v1/things"


async def length(found: list[Any]) -> int:
    return len(found)


def kinds(spans: Any) -> dict[str, SpanKind]:
    found: Sequence[ReadableSpan] = list(spans)
    return {each.name: each.kind for each in found}


@pytest.mark.usefixtures("recorded")
async def test_an_event_with_a_malformed_trace_is_handled_all_the_same(place: Place) -> None:
    events = [
        place.event(str(number)).model_copy(update={"traceparent": traceparent})
        for number, traceparent in enumerate(NO_TRACEPARENTS)
    ]
    consumer = place.consumer(place.reaction())

    await consumer._handle(events[:1])
    await consumer._handle(events[1:])

    assert await place.tally() == {event.subject: 1 for event in events}


@pytest.mark.usefixtures("recorded")
async def test_a_request_with_a_malformed_trace_is_answered_all_the_same(place: Place) -> None:
    async with client_of(place) as client:
        for traceparent in NO_TRACEPARENTS:
            response = await client.get("/api/v1/things", headers={"traceparent": traceparent})
            assert response.status_code == 200


# --- logs ---------------------------------------------------------------------------------------


@pytest.fixture
def written(place: Place, monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What is written to standard error, as JSON lines."""
    before, root = structlog.get_config(), logging.getLogger()
    handlers, level = root.handlers[:], root.level
    levels = {name: logging.getLogger(name).level for name in telemetry.NOISY}
    output = io.StringIO()
    monkeypatch.setattr("sys.stderr", output)
    for flag in ("logThreads", "logProcesses", "logMultiprocessing"):
        monkeypatch.setattr(logging, flag, getattr(logging, flag))
    configure_logging(
        place.settings.model_copy(update={"log_format": "json"}), process="things-web"
    )
    yield output
    structlog.configure(**before)
    structlog.contextvars.clear_contextvars()
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, former in levels.items():
        logging.getLogger(name).setLevel(former)


def lines(written: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in written.getvalue().splitlines()]


async def test_a_line_says_who_wrote_it_and_when_and_in_which_trace(written: io.StringIO) -> None:
    with span("work", kind="server", parent=INCOMING):
        structlog.get_logger("shared.tests").info("things.made", number=7)

    [line] = lines(written)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "things.made",
        "level": "info",
        "logger": "shared.tests",
        "number": 7,
        "process": "things-web",
        "trace_id": TRACE,
    }


async def test_other_libraries_write_in_the_same_form(written: io.StringIO) -> None:
    logging.getLogger("some.library").warning("careful: %s", "x")

    [line] = lines(written)
    assert (line["event"], line["level"], line["logger"]) == (
        "careful: x",
        "warning",
        "some.library",
    )


@pytest.mark.parametrize(
    "entry",
    [
        {"client_secret": "hunter2"},
        {"path": "/calendar-feeds/rkc_hunter2hunter2hunter2.ics"},
        {"said": "rkp_hunter2hunter2hunter2"},
        {"Authorization": "hunter2"},
        {"password": "hunter2"},
        {"access_token": "hunter2"},
        {"private_key_pem": "hunter2"},
        {"set_cookie": "hunter2"},
        {"headers": {"Authorization": "hunter2", "x": {"token": "hunter2"}}},
        {"headers": [{"cookie": "hunter2"}]},
        {"error": "cannot reach nats://things:hunter2@nats:4222"},
        {"error": "postgresql+asyncpg://things:hunter2@db/things is away"},
        {"text": "sent Authorization: Bearer hunter2"},
        {"text": f"sent {token('seoul', jti='hunter2')}"},
    ],
)
async def test_secrets_are_not_written(written: io.StringIO, entry: dict[str, Any]) -> None:
    structlog.get_logger("shared.tests").warning("something", **entry)

    [line] = lines(written)
    assert "hunter2" not in json.dumps(line)
    assert "eyJ" not in json.dumps(line)
    assert "…" in json.dumps(line, ensure_ascii=False)


async def test_secrets_in_tracebacks_are_not_written(written: io.StringIO) -> None:
    try:
        int("nats://things:hunter2@nats:4222")
    except ValueError:
        structlog.get_logger("shared.tests").exception("away")
        logging.getLogger("some.library").exception("away too")

    first, second = lines(written)
    assert "base 10: 'nats://…@nats:4222'" in first["exception"]
    assert "base 10: 'nats://…@nats:4222'" in second["exception"]
    assert "hunter2" not in written.getvalue()


async def test_what_people_wrote_is_not_in_the_errors_of_the_database(
    place: Place, written: io.StringIO
) -> None:
    engine = connect(place.settings, application="tests")
    try:
        async with engine.connect() as connection:
            await connection.execute(
                text("SELECT CAST(:value AS integer) + 1, :other"),
                {"value": 2**40, "other": "hunter2"},
            )
    except Exception:
        structlog.get_logger("shared.tests").exception("failed")
    await engine.dispose()

    [line] = lines(written)
    assert "hunter2" not in line["exception"]
    assert "SQL parameters hidden" in line["exception"]


async def test_each_request_is_one_line(place: Place, written: io.StringIO) -> None:
    async with client_of(place) as client:
        await client.get("/api/v1/things", headers={"X-Request-Id": "r1", "traceparent": INCOMING})
        await client.get("/livez")

    [line] = [line for line in lines(written) if line["event"] == "request"]
    assert line.pop("timestamp")
    assert line.pop("milliseconds") > 0
    assert line == {
        "event": "request",
        "level": "info",
        "logger": "shared.http.application",
        "process": "things-web",
        "request_id": "r1",
        "trace_id": TRACE,
        "member": "seoul",
        "actor": "client:seoul-main",
        "method": "GET",
        "path": "/api/v1/things",
        "status": 200,
    }


async def test_who_asked_before_is_not_in_the_line_of_who_asks_now(
    place: Place, written: io.StringIO
) -> None:
    async with client_of(place) as client:
        await client.get("/api/v1/things")
        await client.get("/api/v1/things", headers={"Authorization": "Bearer x"})

    first, second = (line for line in lines(written) if line["event"] == "request")
    assert (first["member"], first["status"]) == ("seoul", 200)
    assert second["status"] == 401
    assert not {"member", "actor"} & second.keys()
