"""An example of every event, for the catalogue and for whoever wants to try a receiver."""

from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from shared.actor import Actor
from shared.contracts.event import Event


def sample_of(kind: type[Event[Any]]) -> Event[Any]:
    """An example of an event, the same each time."""
    moment = datetime(2026, 4, 1, 0, 0, tzinfo=UTC)
    state = kind.state_type()
    event = kind.about(
        state.model_validate(
            {name: _example(name, field.annotation) for name, field in state.model_fields.items()}
            | EXAMPLES_OF.get(kind.entity, {})
        ),
        by=Actor(member="tokyo", client_id="tokyo-main"),
        at=moment,
        audience=("seoul", "tokyo"),
    )
    return event.model_copy(
        update={
            "id": UUID("0196f000-0000-7000-8000-000000000001"),
            "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        }
    )


EXAMPLES: Final[dict[str, Any]] = {
    "id": "0196f000-0000-7000-8000-000000000002",
    "project_id": "0196f000-0000-7000-8000-000000000003",
    "official_id": "0196f000-0000-7000-8000-000000000004",
    "slug": "seoul",
    "member": "seoul",
    "lead": "tokyo",
    "accountable": "tokyo",
    "name": {"en": "Seoul", "ja": "ソウル特別市"},
    "local_name": "서울특별시",
    "title": {"en": "Joint exercise held", "ja": "合同訓練の実施"},
    "subject_id": "0196f000-0000-7000-8000-000000000005",
    "subject_title": {"en": "Joint exercise held", "ja": "合同訓練の実施"},
    "text": {"en": "Can we hold it in May?", "ja": "五月に実施できますか。"},
    "summary": {"en": "Cities practise together.", "ja": "都市が共に訓練する。"},
    "function": {"en": "Coordinator, Seoul"},
    "country": "KR",
    "time_zone": "Asia/Seoul",
    "latitude": 37.566,
    "longitude": 126.9784,
    "url": "https://hooks.seoul.example/renkei",
    "email": "coordinator@seoul.example",
    "language": "ko",
    "roles": ["coordinator"],
    "scopes": ["projects:read"],
    "event_types": ["renkei.milestone.*"],
    "objectives": ["common-issues"],
    "themes": ["disaster-preparedness"],
    "charter": {"en": "Each city sends two teams.", "ja": "各都市が二隊を派遣する。"},
    "reference": "crisis-management",
    "proposer": "tokyo",
    "candidate": "seoul",
    "electorate": [
        {
            "member": "seoul",
            "position": "approve",
            "reason": "It suits us.",
            "taken_at": "2026-04-01T00:00:00Z",
            "counted_out_at": None,
        }
    ],
    "tally": {
        "electorate": 1,
        "approve": 1,
        "object": 0,
        "abstain": 0,
        "silent": 0,
        "needed": 1,
    },
    "effect": {
        "kind": "reschedule_milestone",
        "milestone_id": "0196f000-0000-7000-8000-000000000005",
        "due_on": "2026-06-30",
        "time_zone": "Asia/Seoul",
    },
    "version": 2,
    "withdrawn_by": "member",
}

EXAMPLES_OF: Final[dict[str, dict[str, Any]]] = {
    "objective": {
        "slug": "common-issues",
        "title": {"en": "Solve issues common to large cities", "ja": "大都市に共通する課題の解決"},
    },
    "theme": {
        "slug": "disaster-preparedness",
        "title": {"en": "Disaster preparedness", "ja": "防災"},
    },
}


def _example(name: str, annotation: Any) -> Any:
    if name == "name" and "dict" not in str(annotation):
        return "Municipal register"
    if name == "id" and annotation is str:
        return "seoul-register"
    if name in EXAMPLES:
        return EXAMPLES[name]
    return _example_of(annotation)


def _example_of(annotation: Any) -> Any:
    text = str(annotation)
    if "Literal" in text:
        return annotation.__args__[-1]
    if "None" in text:
        return None
    simple = {"bool": False, "int": 1, "float": 1.0, "datetime": "2026-04-01T00:00:00Z"}
    found = getattr(annotation, "__name__", "")
    if found == "date":
        return "2026-06-30"
    if found in simple:
        return simple[found]
    return [] if "tuple" in text else ("…" if annotation is str else {})
