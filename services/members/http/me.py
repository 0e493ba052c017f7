"""The person who asks: who they are, where they are logged in, and what they let others do."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import Field

from services.members.http.clients import ClientId
from services.members.http.speakers import CurrentSpeaker, Speaking
from services.members.model.official import Official
from services.members.model.presence import (
    ConsentNotFound,
    OnlyThePlatformItself,
    OwnSessionNotFound,
    PersonNeeded,
    Presence,
)
from services.members.model.scopes import IDENTITY_SCOPES, SCOPES
from services.members.model.sign_in import SignIn
from services.members.queries.presences import (
    Given,
    Opened,
    list_consents,
    list_sign_ins,
    opened_from,
    other_places_of,
    presence_of,
)
from services.members.use_cases.end_own_sessions import end_own_sessions
from services.members.use_cases.withdraw_consent import withdraw_consent
from shared.actor import Actor
from shared.contracts.members import OfficialState, Role
from shared.fields import Output
from shared.http.identity import CurrentActor
from shared.http.paging import CurrentPaging, CursorUnknown, Page, page
from shared.http.problems import refusals
from shared.http.transaction import Now, Route, Transaction

router = APIRouter(prefix="/api/v1/me", tags=["me"], route_class=Route, dependencies=[Speaking])

OWN = (PersonNeeded, OnlyThePlatformItself)


class PresentSessionOut(Output):
    """The session in which the request was made."""

    id: Annotated[UUID, Field(description="`sid` of its tokens.")]
    client_id: str
    began_at: datetime
    ends_at: datetime
    authenticated_at: datetime
    acr: str | None


class PlaceOut(Output):
    """Another member that the same person is an official of."""

    official_id: UUID
    member: str


class MeOut(Output):
    """The person who asks, for the one member that their token is for."""

    official: Annotated[
        OfficialState,
        Field(description="Name and address are null where the token does not cover them."),
    ]
    member: str
    roles: tuple[Role, ...]
    scopes: Annotated[tuple[str, ...], Field(description="What the token covers at this moment.")]
    session: PresentSessionOut
    other_places: Annotated[
        list[PlaceOut], Field(description="For applications of the platform itself alone.")
    ]

    @classmethod
    def of(cls, presence: Presence, places: list[Official], scopes: tuple[str, ...]) -> "MeOut":
        official, family = presence.official.state(), presence.family
        kept = {
            "name": {"profile", "members:read"}.intersection(scopes),
            "email": {"email", "members:read"}.intersection(scopes),
        }
        hidden = {field: None for field, covered in kept.items() if not covered}
        return cls(
            official=official.model_copy(update=hidden),
            member=official.member,
            roles=official.roles,
            scopes=scopes,
            session=PresentSessionOut.model_validate(family),
            other_places=[PlaceOut(official_id=p.id, member=p.member) for p in places],
        )


class OpenedOut(Output):
    """An application that is used from there."""

    session_id: Annotated[UUID, Field(description="`sid` of its tokens.")]
    client_id: str
    name: str
    began_at: datetime


class OwnSessionOut(Output):
    """Where the person is logged in: in one browser, with all that was opened from it."""

    id: UUID
    is_current: Annotated[bool, Field(description="Whether this request comes from there.")]
    began_at: datetime
    seen_at: Annotated[datetime, Field(description="When an application was last opened from it.")]
    ends_at: datetime
    authenticated_at: datetime
    acr: str | None
    applications: list[OpenedOut]

    @classmethod
    def of(cls, sign_in: SignIn, opened: list[Opened], *, current: UUID) -> "OwnSessionOut":
        return cls(
            id=sign_in.id,
            is_current=sign_in.id == current,
            began_at=sign_in.began_at,
            seen_at=sign_in.seen_at,
            ends_at=sign_in.ends_at,
            authenticated_at=sign_in.authenticated_at,
            acr=sign_in.acr,
            applications=[
                OpenedOut(
                    session_id=each.family.id,
                    client_id=each.family.client_id,
                    name=each.name,
                    began_at=each.family.began_at,
                )
                for each in opened
            ],
        )


class ConsentOut(Output):
    """What the person lets an application do in their name."""

    client_id: str
    name: str
    member: Annotated[str, Field(description="Whose application it is.")]
    scopes: tuple[str, ...]
    given_at: datetime

    @classmethod
    def of(cls, given: Given) -> "ConsentOut":
        consent, client = given.consent, given.client
        return cls(
            client_id=client.id,
            name=client.name,
            member=client.member,
            scopes=consent.scopes,
            given_at=consent.given_at,
        )


@router.get("", responses=refusals(PersonNeeded))
async def get_me(session: Transaction, actor: CurrentActor, speaker: CurrentSpeaker) -> MeOut:
    """Say who asks. A machine is nobody in particular, and is refused."""
    presence = await presence_of(session, actor)
    places: list[Official] = []
    if presence.client.is_first_party:
        places = [*await other_places_of(session, presence.official)]
    return MeOut.of(presence, places, _covered(actor, speaker.actor))


def _covered(actor: Actor, now: Actor) -> tuple[str, ...]:
    """What the token covers now: roles narrow what it may do, but not who the person is."""
    identity = tuple(scope for scope in IDENTITY_SCOPES if scope in actor.scopes)
    return identity + tuple(scope for scope in SCOPES if scope in now.scopes)


@router.get("/sessions", responses=refusals(*OWN, CursorUnknown))
async def get_my_sessions(
    request: Request,
    response: Response,
    session: Transaction,
    actor: CurrentActor,
    paging: CurrentPaging,
    now: Now,
) -> Page[OwnSessionOut]:
    """List where the person is logged in, newest first."""
    presence = await presence_of(session, actor)
    presence.ensure_trusted()
    found, cursor = await list_sign_ins(session, presence.official.id, now=now, paging=paging)
    opened = await opened_from(session, found)
    items = [OwnSessionOut.of(s, opened[s.id], current=presence.sign_in.id) for s in found]
    return page(request, response, items, cursor)


@router.delete(
    "/sessions/{session_id}", status_code=204, responses=refusals(*OWN, OwnSessionNotFound)
)
async def delete_my_session(
    session_id: UUID, session: Transaction, actor: CurrentActor, now: Now
) -> None:
    """End a session in a browser, with everything that was opened from it."""
    await end_own_sessions(session, session_id, actor=actor, now=now)


@router.delete("/sessions", status_code=204, responses=refusals(*OWN))
async def delete_my_sessions(session: Transaction, actor: CurrentActor, now: Now) -> None:
    """End every session of the person, this one too; not those as an official of another member."""
    await end_own_sessions(session, None, actor=actor, now=now)


@router.get("/consents", responses=refusals(*OWN, CursorUnknown))
async def get_my_consents(
    request: Request,
    response: Response,
    session: Transaction,
    actor: CurrentActor,
    paging: CurrentPaging,
) -> Page[ConsentOut]:
    """List what the person lets applications of others do, oldest first."""
    presence = await presence_of(session, actor)
    presence.ensure_trusted()
    found, cursor = await list_consents(session, presence.official.id, paging=paging)
    return page(request, response, [ConsentOut.of(given) for given in found], cursor)


@router.delete("/consents/{client_id}", status_code=204, responses=refusals(*OWN, ConsentNotFound))
async def delete_my_consent(
    client_id: ClientId, session: Transaction, actor: CurrentActor, now: Now
) -> None:
    """Let an application act for the person no longer, and end their sessions in it."""
    await withdraw_consent(session, client_id, actor=actor, now=now)
