"""The API of the things: one route for each promise that every route makes."""

import asyncio
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, FastAPI, Query, Request, Response
from httpx2 import AsyncClient
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from shared.actor import Actor
from shared.database import as_json
from shared.fields import (
    OMITTED,
    Country,
    Day,
    Degrees,
    Email,
    Flag,
    Input,
    Instant,
    Line,
    Lines,
    Output,
    Slug,
    Text,
    Whole,
    ZoneName,
)
from shared.http.application import web_application
from shared.http.idempotency import Idempotent, IdempotentSecret
from shared.http.identity import CurrentActor, current_actor
from shared.http.paging import CurrentPaging, Page, page
from shared.http.preconditions import ExpectedVersion, ensure_version, show_version
from shared.http.problems import refusals
from shared.http.transaction import Route, Transaction
from shared.messaging.outbox import announce
from shared.refusals import (
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    PreconditionRequired,
    Refusal,
    TooLarge,
    Unavailable,
)
from tests.shared.things import AT, Place, Thing
from tests.web import api, on


class ThingUnknown(NotFound):
    code = "thing-unknown"
    title = "There is no such thing"


class ThingForbidden(Forbidden):
    code = "thing-forbidden"
    title = "This thing is not yours"


class ThingFinished(Conflict):
    code = "thing-finished"
    title = "The thing is finished"


class ThingContradictory(Invalid):
    code = "thing-contradictory"
    title = "The thing contradicts itself"


class ThingTooLarge(TooLarge):
    code = "thing-too-large"
    title = "The thing is too large"


class ThingVersionless(PreconditionRequired):
    code = "thing-versionless"
    title = "Say which"


class ThingAway(Unavailable):
    code = "thing-away"
    title = "The thing is away"


REFUSALS: dict[str, type[Refusal]] = {
    kind.code: kind
    for kind in (
        ThingUnknown,
        ThingForbidden,
        ThingFinished,
        ThingContradictory,
        ThingTooLarge,
        ThingVersionless,
        ThingAway,
    )
}


class ThingIn(Input):
    title: Line


class ThingPatch(Input):
    title: Line = OMITTED
    note: Text | None = OMITTED


class ThingOut(Output):
    id: UUID
    title: str
    note: str | None
    version: int


class Everything(Input):
    """Each type of field, all optional."""

    line: Line | None = None
    text: Text | None = None
    lines: Lines | None = None
    slug: Slug | None = None
    country: Country | None = None
    zone: ZoneName | None = None
    day: Day | None = None
    instant: Instant | None = None
    whole: Whole | None = None
    flag: Flag | None = None
    degrees: Degrees | None = None
    email: Email | None = None
    id: UUID | None = None
    several: list[Line] | None = None


router = APIRouter(
    prefix="/api/v1/things", route_class=Route, dependencies=[Depends(current_actor)]
)


def announce_made(request: Request, session: AsyncSession, thing: Thing, actor: Actor) -> None:
    place: Place = request.app.state.place
    announce(session, place.made.about(thing.state(), by=actor, at=AT, audience=["seoul"]))


@router.get("")
async def get_things(
    request: Request,
    response: Response,
    session: Transaction,
    paging: CurrentPaging,
    newest_first: bool = False,
    updated_since: Annotated[Instant | None, Query()] = None,
) -> Page[ThingOut]:
    query = select(Thing)
    if updated_since is not None:
        query = query.where(Thing.made_at >= updated_since)
    found, cursor = await paging.fetch(
        session, query, Thing.made_at, Thing.id, descending=newest_first
    )
    return page(request, response, [ThingOut.model_validate(t) for t in found], cursor)


@router.post("", status_code=201, dependencies=[Idempotent])
async def post_thing(
    body: ThingIn,
    request: Request,
    response: Response,
    session: Transaction,
    actor: CurrentActor,
) -> ThingOut:
    thing = Thing(title=body.title)
    session.add(thing)
    announce_made(request, session, thing, actor)
    response.headers["Location"] = f"/api/v1/things/{thing.id}"
    show_version(response, thing.version)
    return ThingOut.model_validate(thing)


@router.get("/{thing_id}", responses=refusals(ThingUnknown))
async def get_thing(thing_id: UUID, response: Response, session: Transaction) -> ThingOut:
    thing = await session.get(Thing, thing_id)
    if thing is None:
        raise ThingUnknown("It may have been a draft.")
    show_version(response, thing.version)
    return ThingOut.model_validate(thing)


@router.patch("/{thing_id}", responses=refusals(ThingUnknown))
async def patch_thing(
    thing_id: UUID,
    body: ThingPatch,
    response: Response,
    session: Transaction,
    expected: ExpectedVersion,
) -> ThingOut:
    thing = await session.get(Thing, thing_id, with_for_update=True)
    if thing is None:
        raise ThingUnknown("It may have been a draft.")
    ensure_version(expected, thing.state())
    for name, value in body.model_dump(exclude_unset=True).items():
        setattr(thing, name, value)
    thing.version += 1
    show_version(response, thing.version)
    return ThingOut.model_validate(thing)


@router.post("/refusals/{code}", dependencies=[Idempotent])
async def post_refusal(
    code: str, body: ThingIn, request: Request, session: Transaction, actor: CurrentActor
) -> None:
    """Change something, announce it, and only then refuse."""
    thing = Thing(title=body.title)
    session.add(thing)
    announce_made(request, session, thing, actor)
    await session.flush()
    raise REFUSALS[code]("For this reason.", members={"thing": as_json(thing.id)})


@router.post("/faults/{kind}", dependencies=[Idempotent])
async def post_fault(kind: str, body: ThingIn, request: Request, session: Transaction) -> None:
    request.app.state.begun += 1
    session.add(Thing(title=body.title))
    await session.flush()
    if kind == "bug":
        raise RuntimeError("the inside of the platform")
    if kind == "statement":
        await session.execute(text("SET LOCAL statement_timeout = 20"))
        await session.execute(text("SELECT pg_sleep(5)"))
    if kind == "twice":
        thing = Thing(title=body.title, id=UUID(int=1))
        session.add(thing)


@router.post("/secrets", status_code=201, dependencies=[IdempotentSecret])
async def post_secret(session: Transaction) -> dict[str, str]:
    thing = Thing(title="secret")
    session.add(thing)
    return {"secret": f"whsec_{thing.id}"}


@router.post("/waits", dependencies=[Idempotent])
async def post_wait(body: ThingIn, request: Request, session: Transaction) -> dict[str, int]:
    """Change something and wait until the test lets it go on."""
    session.add(Thing(title=body.title))
    await session.flush()
    request.app.state.begun += 1
    await request.app.state.go_on.wait()
    return {"begun": request.app.state.begun}


@router.post("/everything")
async def post_everything(body: Everything) -> dict[str, Any]:
    return body.model_dump(mode="json", exclude_unset=True)


@router.post("/unchecked")
async def post_unchecked(body: dict[str, Any], session: Transaction) -> None:
    """What a route would do that forgets to check."""
    await session.execute(
        text("SELECT CAST(:title AS text), CAST(:number AS bigint)"),
        {"title": body.get("title"), "number": body.get("number", 1)},
    )


def things_application(place: Place) -> FastAPI:
    """The web application of a place, on its database and the keys of the tests."""
    app = web_application(place.publisher, "Things", place.settings, [router])
    return at(app, place)


def at(app: FastAPI, place: Place) -> FastAPI:
    app.state.place = place
    app.state.go_on = asyncio.Event()
    app.state.begun = 0
    return on(app, place.database)


BUILT: dict[str, FastAPI] = {}
"""By settings: the framework needs as long for an application as for dozens of requests."""


def client_of(place: Place, member: str | None = "seoul") -> AsyncClient:
    """A client of an application that other tests may have used before."""
    known = place.settings.model_dump_json()
    if known not in BUILT:
        BUILT[known] = things_application(place)
    return api(at(BUILT[known], place), member)
