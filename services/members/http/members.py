"""Members and their membership over HTTP."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from services.members.http.speakers import CurrentReader, CurrentSpeaker, Speaking
from services.members.model.member import (
    EffectiveBeforePrevious,
    EffectiveInFuture,
    HostStays,
    Member,
    MemberExists,
    MemberNotFound,
    MembershipEnded,
    ReasonMissing,
    SubdivisionUnknown,
    TransitionRuledOut,
)
from services.members.model.speaker import (
    MemberNotActive,
    OnlyTheMemberItself,
    OnlyTheSecretariat,
    Speaker,
)
from services.members.queries.members import (
    MemberFilter,
    list_members,
    list_transitions,
    member_with,
    standings_of,
)
from services.members.queries.ordering import Sort
from services.members.use_cases.change_member import change_member
from services.members.use_cases.change_membership import change_membership
from services.members.use_cases.fields import Latitude, Longitude, MemberFields, Subdivision
from services.members.use_cases.invite_member import invite_member
from shared.actor import MissingScope
from shared.contracts.members import MemberKind, MembershipStatus, MemberState
from shared.fields import (
    OMITTED,
    Country,
    Day,
    Input,
    Instant,
    Line,
    Lines,
    Output,
    Slug,
    Text,
    ZoneName,
)
from shared.http.idempotency import Idempotent
from shared.http.paging import CurrentPaging, CursorUnknown, Page, page
from shared.http.preconditions import ExpectedVersion, VersionRequired, VersionStale, show_version
from shared.http.problems import refusals
from shared.http.transaction import Now, Route, Transaction

router = APIRouter(
    prefix="/api/v1/members", tags=["members"], route_class=Route, dependencies=[Speaking]
)


class MemberOut(MemberState):
    """A member as every other member sees it."""

    allowed_actions: list[str]

    @classmethod
    def of(cls, member: Member, speaker: Speaker) -> "MemberOut":
        actions = member.allowed_actions(speaker)
        return cls(**member.state().model_dump(), allowed_actions=actions)


class MemberIn(MemberFields):
    """An organisation to be invited."""

    invited_on: Day


class MemberChangeIn(Input):
    """What is to be different; what is left out stays."""

    name: Lines = OMITTED
    local_name: Line | None = OMITTED
    country: Country = OMITTED
    subdivision: Subdivision | None = OMITTED
    time_zone: ZoneName = OMITTED
    latitude: Latitude = OMITTED
    longitude: Longitude = OMITTED


class MembershipTransitionIn(Input):
    """A step in a membership."""

    status: Literal["active", "suspended", "withdrawn"]
    effective_on: Annotated[
        Day | None, Field(description="Today where the member is, unless history is entered late.")
    ] = None
    reason: Annotated[Text | None, Field(description="Needed for a suspension.")] = None


class MembershipTransitionOut(Output):
    """A status that the membership took on a day."""

    id: UUID
    member: str
    member_version: Annotated[int, Field(description="Version of the member from this step on.")]
    status: MembershipStatus
    effective_on: date
    reason: str | None
    recorded_at: datetime
    recorded_by: str | None


@router.get("", responses=refusals(MissingScope, CursorUnknown))
async def get_members(
    request: Request,
    response: Response,
    session: Transaction,
    reader: CurrentReader,
    paging: CurrentPaging,
    on: Annotated[
        Day | None,
        Query(
            description="Only who belonged (active or suspended) on this day; `status` and"
            " `status_since` are then those of that day, and no actions are offered."
        ),
    ] = None,
    status: MembershipStatus | None = None,
    kind: MemberKind | None = None,
    country: Country | None = None,
    updated_since: Instant | None = None,
    sort: Sort = "created",
) -> Page[MemberOut]:
    """List members: those of today, or those who belonged on a day."""
    wanted = MemberFilter(on, status, kind, country, updated_since)
    members, cursor = await list_members(session, wanted, sort=sort, paging=paging)
    items = [MemberOut.of(member, reader) for member in members]
    if on is not None:
        standings = await standings_of(session, [member.slug for member in members], on=on)
        items = [
            item.model_copy(
                update={
                    "status": standings[item.slug].status,
                    "status_since": standings[item.slug].since,
                    "allowed_actions": [],
                }
            )
            for item in items
        ]
    return page(request, response, items, cursor)


@router.get("/{slug}", responses=refusals(MissingScope, MemberNotFound))
async def get_member(
    slug: Slug, response: Response, session: Transaction, reader: CurrentReader
) -> MemberOut:
    """Show a member."""
    member = await member_with(session, slug)
    show_version(response, member.version)
    return MemberOut.of(member, reader)


@router.post(
    "",
    status_code=201,
    dependencies=[Idempotent],
    responses=refusals(
        OnlyTheSecretariat, MissingScope, MemberExists, SubdivisionUnknown, EffectiveInFuture
    ),
)
async def post_member(
    body: MemberIn, response: Response, session: Transaction, speaker: CurrentSpeaker, now: Now
) -> MemberOut:
    """Enter an organisation that may join. Only the secretariat may."""
    fields = MemberFields(**body.model_dump(exclude={"invited_on"}))
    member = await invite_member(
        session, fields, invited_on=body.invited_on, speaker=speaker, now=now
    )
    response.headers["Location"] = f"/api/v1/members/{member.slug}"
    show_version(response, member.version)
    return MemberOut.of(member, speaker)


@router.patch(
    "/{slug}",
    responses=refusals(
        MemberNotFound,
        OnlyTheMemberItself,
        MissingScope,
        MemberNotActive,
        VersionRequired,
        VersionStale,
        SubdivisionUnknown,
    ),
)
async def patch_member(
    slug: Slug,
    body: MemberChangeIn,
    response: Response,
    session: Transaction,
    speaker: CurrentSpeaker,
    expected: ExpectedVersion,
    now: Now,
) -> MemberOut:
    """Correct names, place or time zone. The member itself may, and the secretariat."""
    member = await change_member(
        session,
        slug,
        body.model_dump(exclude_unset=True),
        expected=expected,
        speaker=speaker,
        now=now,
    )
    show_version(response, member.version)
    return MemberOut.of(member, speaker)


@router.get(
    "/{slug}/membership-transitions",
    responses=refusals(MissingScope, MemberNotFound, CursorUnknown),
)
async def get_membership_transitions(
    slug: Slug,
    request: Request,
    response: Response,
    session: Transaction,
    _: CurrentReader,
    paging: CurrentPaging,
) -> Page[MembershipTransitionOut]:
    """Show the history of a membership, oldest step first."""
    await member_with(session, slug)
    transitions, cursor = await list_transitions(session, slug, paging=paging)
    items = [MembershipTransitionOut.model_validate(transition) for transition in transitions]
    return page(request, response, items, cursor)


@router.post(
    "/{slug}/membership-transitions",
    dependencies=[Idempotent],
    responses=refusals(
        MemberNotFound,
        OnlyTheMemberItself,
        OnlyTheSecretariat,
        MissingScope,
        VersionRequired,
        VersionStale,
        MembershipEnded,
        TransitionRuledOut,
        HostStays,
        ReasonMissing,
        EffectiveInFuture,
        EffectiveBeforePrevious,
    ),
)
async def post_membership_transition(
    slug: Slug,
    body: MembershipTransitionIn,
    response: Response,
    session: Transaction,
    speaker: CurrentSpeaker,
    expected: ExpectedVersion,
    now: Now,
) -> MemberOut:
    """Accept, suspend, reinstate or withdraw: bring the membership to a status.

    A member accepts and withdraws for itself; the secretariat suspends and reinstates, and may
    withdraw a member that is suspended. `If-Match` names the version of the member.
    """
    member = await change_membership(
        session,
        slug,
        body.status,
        effective_on=body.effective_on,
        reason=body.reason,
        expected=expected,
        speaker=speaker,
        now=now,
    )
    show_version(response, member.version)
    return MemberOut.of(member, speaker)
