"""Milestones entered as a table: what an export wrote can be changed and sent back.

A column that is not there changes nothing. Words have a column for each language, such as
`title[en]`; an empty cell ends what was written in it. What else an export writes may stay in the
table: it is compared (`project_id`, `accountable`, `status`), or says only how things are. What an
export does not write is `key`, by which rows of one table wait for each other.
"""

import re
from asyncio import to_thread
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request
from pydantic import Field, TypeAdapter, ValidationError

from services.projects.http.tables.columns import FIXED
from services.projects.http.tables.dependencies import key_read, references_read
from services.projects.http.tables.reading import (
    CSV,
    Flaw,
    Row,
    Table,
    TableFormUnknown,
    TableTooLarge,
    read_table,
)
from services.projects.http.tables.workbook import XLSX, FileUnreadable, WorkbookTooLarge
from services.projects.model.milestone_row import MilestoneRow
from services.projects.model.project import NotProjectLead, ProjectNotFound
from services.projects.model.standing import MemberNotActive
from services.projects.queries.projects import project_for_change
from services.projects.use_cases.import_milestones import (
    Entered,
    Result,
    import_milestones,
)
from shared.actor import MissingScope
from shared.contracts.projects import MilestoneStatus
from shared.fields import INT4_MAX, Day, LanguageTag, Line, Output, Slug, Text, ZoneName
from shared.http.idempotency import Idempotent, KeyInUse, KeyReused
from shared.http.identity import CurrentActor
from shared.http.problems import refusals
from shared.http.transaction import Now, Route, Transaction
from shared.refusals import Invalid, Refusal

router = APIRouter(
    prefix="/api/v1/projects/{project_id}/milestones", tags=["tables"], route_class=Route
)

SHEET: Final = "milestones"
MILESTONE: Final = "milestone"
OTHERS: Final = frozenset({"project", "contribution"})

WORDS: Final = re.compile(r"(title|description|summary)\[(.*)\]", re.DOTALL)

READ: Final[Mapping[str, TypeAdapter[Any]]] = {
    "id": TypeAdapter(UUID),
    "version": TypeAdapter(Annotated[int, Field(ge=1, le=INT4_MAX)]),
    "title": TypeAdapter(Line),
    "description": TypeAdapter(Text),
    "due_on": TypeAdapter(Day),
    "time_zone": TypeAdapter(ZoneName),
    "project_id": TypeAdapter(UUID),
    "accountable": TypeAdapter(Slug),
    "status": TypeAdapter(MilestoneStatus),
    "progress_percent": TypeAdapter(Annotated[int, Field(ge=0, le=100)]),
    "forecast_on": TypeAdapter(Day),
}
TOLD: Final[Mapping[str, Callable[[str], Any]]] = {"key": key_read, "depends_on": references_read}
NUMBERS: Final = frozenset({"version", "progress_percent"})
KNOWN: Final = frozenset({*FIXED, "key"})
LANGUAGE: Final[TypeAdapter[str]] = TypeAdapter(LanguageTag)
MILESTONES_MAX: Final = 1_000
PROBLEMS_MAX: Final = 1_000
WHOLE: Final = re.compile(r"[0-9]{1,10}")
NAMES: Final = {"id": "is about the same milestone", "key": "has the same key"}
NEVER_EMPTY: Final = ("due_on", "time_zone")


class TableRefused(Invalid):
    code = "table-refused"
    title = "Nothing was changed, because something in the table is refused"


class RowOut(Output):
    """What a row does, or would do."""

    row: Annotated[int, Field(description="Counted from 1, the header.")]
    id: Annotated[UUID | None, Field(description="Of the milestone, if it exists.")]
    results: tuple[Result | Literal["skipped"], ...]


class RowProblem(Output):
    """What is wrong in a row."""

    row: int
    column: Annotated[str | None, Field(description="Where; nothing if it is the whole row.")]
    code: Annotated[str, Field(description="As in the `type` of the problem of a single change.")]
    detail: str


class ImportOut(Output):
    """What became of a table, or would."""

    dry_run: bool
    rows: list[RowOut]
    problems: list[RowProblem]


BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "description": "A header, and at most 1 000 milestones in at most 100 columns. Text is "
        "UTF-8, or in the `charset` of the media type: `shift_jis` or `utf-16`; the delimiter is a "
        "comma, a semicolon or a tab. Of a workbook the sheet `milestones` is read, or else the "
        "first one.",
        "content": {
            media_type: {"schema": {"type": "string", "format": "binary"}}
            for media_type in (CSV, XLSX)
        },
    }
}


@router.post(
    "/import",
    dependencies=[Idempotent],
    openapi_extra=BODY,
    responses=refusals(
        ProjectNotFound,
        MissingScope,
        MemberNotActive,
        NotProjectLead,
        TableFormUnknown,
        FileUnreadable,
        TableTooLarge,
        WorkbookTooLarge,
        TableRefused,
        KeyInUse,
        KeyReused,
    ),
)
async def post_milestones_import(
    project_id: UUID,
    request: Request,
    session: Transaction,
    actor: CurrentActor,
    now: Now,
    dry_run: Annotated[bool, Query(description="Only say what would happen.")] = False,
) -> ImportOut:
    """Plan and change milestones by a table: all rows, or none. Only the lead may.

    A row without an `id` plans a milestone; one with an `id` changes its words, its deadline, what
    it waits for and its progress under the rules of the single changes, and `version` is its
    If-Match. The order of the rows says nothing. If anything is refused, `problems` names all of it
    by row and column, up to the first thousand.
    """
    # Whoever may not learns nothing of the file, and we do not read it.
    project, standing, _ = await project_for_change(session, project_id, actor=actor)
    project.ensure_led_by(standing)
    rows, skipped, flaws = await to_thread(
        _read, await request.body(), request.headers.get("content-type", "")
    )
    outcomes = await import_milestones(
        session,
        project_id,
        actor=actor,
        now=now,
        rows=list(rows.values()),
        keep=not (dry_run or flaws),
    )
    answer = _answer(dict(zip(rows, outcomes, strict=True)), skipped, flaws, dry_run=dry_run)
    if answer.problems and not dry_run:
        raise TableRefused(
            "Correct what `problems` names, and send all of it again.",
            members={"problems": [each.model_dump(mode="json") for each in answer.problems]},
        )
    return answer


def _read(content: bytes, media_type: str) -> tuple[dict[int, MilestoneRow], list[int], list[Flaw]]:
    return understood(read_table(content, media_type, sheet=SHEET))


def understood(table: Table) -> tuple[dict[int, MilestoneRow], list[int], list[Flaw]]:
    """Read the cells of a table.

    Returns:
        The rows about milestones by their numbers, as far as nothing is wrong with them; the
        numbers of the rows about other things; and all that is wrong.

    Raises:
        TableTooLarge: there are more milestones than are entered at once.
    """
    flaws = [*table.flaws, *_unknown_columns(table.columns)]
    if len(flaws) > len(table.flaws):
        return {}, [], flaws
    rows: dict[int, MilestoneRow] = {}
    seen: dict[UUID | str, int] = {}
    flawed = {flaw.row for flaw in table.flaws}
    skipped = [row.number for row in table.rows if row.cells.get("kind", "").strip() in OTHERS]
    if len(table.rows) - len(skipped) > MILESTONES_MAX:
        raise TableTooLarge(f"It has more than {MILESTONES_MAX} milestones.")
    for row in table.rows:
        kind = row.cells.get("kind", MILESTONE).strip()
        if kind in OTHERS:
            continue
        if kind != MILESTONE:
            flaws.append(Flaw(row.number, "kind", "kind-unknown", "It is no kind of row."))
            continue
        fields, wrong = _fields(row)
        for name, kinship in NAMES.items():
            named = fields.get(name)
            if named in seen:
                detail = f"Row {seen[named]} {kinship}."
                wrong.append(Flaw(row.number, name, "row-repeated", detail))
            elif named is not None:
                seen[named] = row.number
        if not wrong and row.number not in flawed:
            rows[row.number] = MilestoneRow(**fields)
        flaws += wrong
    return rows, skipped, flaws


def _unknown_columns(columns: tuple[str, ...]) -> Iterator[Flaw]:
    for column in columns:
        words = WORDS.fullmatch(column)
        if words is not None:
            try:
                LANGUAGE.validate_python(words[2])
            except ValidationError:
                yield Flaw(1, column[:100], "column-unknown", "The language is no BCP 47 tag.")
        elif column not in KNOWN:
            yield Flaw(1, column[:100], "column-unknown", "No column has this name.")


def _fields(row: Row) -> tuple[dict[str, Any], list[Flaw]]:
    """Read the cells of a row that say something about a milestone."""
    fields: dict[str, Any] = {"title": {}, "description": {}}
    fields["has_forecast_on"] = "forecast_on" in row.cells
    wrong: list[Flaw] = []
    is_known = bool(row.cells.get("id", "").strip())
    for column, cell in row.cells.items():
        words = WORDS.fullmatch(column)
        name = words[1] if words is not None else column
        # A contribution has a description in no language, a milestone has it in several.
        if name not in READ.keys() | TOLD.keys() or (name == "description" and words is None):
            continue
        value: Any = None
        if cell.strip():
            try:
                value = _value(name, cell)
            except (ValidationError, ValueError) as error:
                wrong.append(Flaw(row.number, column, "cell-invalid", _detail(error)))
        elif is_known and name in NEVER_EMPTY:
            wrong.append(Flaw(row.number, column, "field-missing", "It must not be empty."))
        if words is None:
            fields[name] = () if value is None and name == "depends_on" else value
        else:
            fields[name][words[2]] = value
    return fields, wrong


def _value(name: str, cell: str) -> Any:
    """Read a cell that is not empty.

    Raises:
        ValueError: it is not what its column holds.
    """
    if name in {"title", "description"}:
        return READ[name].validate_python(cell)
    cell = cell.strip()
    if name in TOLD:
        return TOLD[name](cell)
    if name in NUMBERS and not WHOLE.fullmatch(cell):
        raise ValueError("must be a whole number")
    return READ[name].validate_python(cell)


def _detail(error: ValueError) -> str:
    if isinstance(error, ValidationError):
        return str(error.errors(include_url=False, include_input=False)[0]["msg"])[:300]
    return str(error)


def _answer(
    outcomes: Mapping[int, Entered | Refusal],
    skipped: list[int],
    flaws: list[Flaw],
    *,
    dry_run: bool,
) -> ImportOut:
    rows = [RowOut(row=number, id=None, results=("skipped",)) for number in skipped]
    problems = [
        RowProblem(row=flaw.row, column=flaw.column, code=flaw.code, detail=flaw.detail)
        for flaw in flaws
    ]
    for number, outcome in outcomes.items():
        if isinstance(outcome, Refusal):
            problems.append(
                RowProblem(
                    row=number,
                    column=outcome.members.get("column"),
                    code=outcome.code,
                    detail=outcome.detail,
                )
            )
            continue
        # What was only tried has planned nothing that could be found under its id.
        is_there = not dry_run or "planned" not in outcome.results
        milestone_id = outcome.milestone_id if is_there else None
        rows.append(RowOut(row=number, id=milestone_id, results=outcome.results))
    return ImportOut(
        dry_run=dry_run,
        rows=sorted(rows, key=lambda each: each.row),
        problems=sorted(problems, key=lambda each: (each.row, each.column or ""))[:PROBLEMS_MAX],
    )
