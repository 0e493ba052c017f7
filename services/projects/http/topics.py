"""The network's lists of objectives and themes over HTTP: two resources of one form."""

from dataclasses import dataclass
from typing import Annotated, Final, cast

from fastapi import APIRouter, Path, Query, Request, Response, status
from pydantic import Field, model_validator

from services.projects.http.fields import Description
from services.projects.model.standing import MemberNotActive
from services.projects.model.topic import (
    NotSecretariat,
    Objective,
    Theme,
    TopicChanges,
    TopicExists,
    TopicKind,
    TopicNotFound,
    TopicNotRetired,
    TopicRetiredBefore,
)
from services.projects.queries.topics import TopicSeen, list_topics, topic_seen
from services.projects.use_cases.add_topic import add_topic
from services.projects.use_cases.change_topic import change_topic
from services.projects.use_cases.reinstate_topic import reinstate_topic
from services.projects.use_cases.retire_topic import retire_topic
from shared.actor import MissingScope
from shared.contracts.projects import TopicState
from shared.fields import OMITTED, Input, Lines, Slug, Whole
from shared.http.idempotency import Idempotent, KeyInUse, KeyReused
from shared.http.identity import CurrentActor
from shared.http.paging import CurrentPaging, CursorUnknown, Page, page
from shared.http.preconditions import (
    ExpectedVersion,
    VersionRequired,
    VersionStale,
    show_version,
)
from shared.http.problems import refusals
from shared.http.transaction import CurrentReading, Now, Route, Transaction

MAY_NOT: Final = (MissingScope, MemberNotActive, NotSecretariat)
CHANGING: Final = (
    *(*MAY_NOT, TopicNotFound),
    *(VersionRequired, VersionStale, KeyInUse, KeyReused),
)

Place = Annotated[Whole, Field(description="Where it stands in the list; of equal ones by name.")]
Named = Annotated[Slug, Path()]


class TopicIn(Input):
    """A new entry of a list."""

    slug: Slug
    title: Lines
    description: Description | None = None
    position: Place = 0


class TopicPatch(Input):
    """What is to change; fields that are left out stay as they are."""

    title: Lines = OMITTED
    description: Description | None = OMITTED
    position: Place = OMITTED

    @model_validator(mode="after")
    def names_something(self) -> "TopicPatch":
        if not self.model_fields_set:
            raise ValueError("must name at least one field")
        return self


class TopicOut(TopicState):
    """An objective or a theme as clients see it."""

    allowed_actions: Annotated[list[str], Field(description="What this caller may do to it now.")]


def topic_out(seen: TopicSeen) -> TopicOut:
    topic, standing = seen
    actions = topic.allowed_actions(standing)
    return TopicOut.model_validate({**vars(topic.state()), "allowed_actions": actions})


def answer(response: Response, seen: TopicSeen) -> TopicOut:
    out = topic_out(seen)
    show_version(response, out.version)
    return out


@dataclass(frozen=True)
class Resource:
    """One of the lists, and what its routes are called."""

    kind: TopicKind
    one: str
    many: str


def router_of(resource: Resource) -> APIRouter:
    """Routes to read a list, and to keep it."""
    kind, one, many = resource.kind, resource.one, resource.many
    router = APIRouter(prefix=f"/api/v1/{many}", tags=[many], route_class=Route)

    @router.post(
        "",
        name=f"post_{one}",
        description=f"Add to the {many} of the network. Only the secretariat may.",
        status_code=status.HTTP_201_CREATED,
        dependencies=[Idempotent],
        responses=refusals(*MAY_NOT, TopicExists, KeyInUse, KeyReused),
    )
    async def post_topic(
        body: TopicIn, response: Response, session: Transaction, actor: CurrentActor, now: Now
    ) -> TopicOut:
        seen = await add_topic(session, kind, actor=actor, now=now, **dict(body))
        response.headers["Location"] = f"{router.prefix}/{seen[0].slug}"
        return answer(response, seen)

    @router.get(
        "",
        name=f"get_{many}",
        description=f"List the {many} that projects of the network can name, in their order.",
        responses=refusals(MissingScope, CursorUnknown),
    )
    async def get_topics(
        request: Request,
        response: Response,
        reading: CurrentReading,
        actor: CurrentActor,
        paging: CurrentPaging,
        retired: Annotated[
            bool | None, Query(description="Only those retired, or only those in use.")
        ] = None,
    ) -> Page[TopicOut]:
        found, cursor = await list_topics(reading, paging, kind, actor=actor, retired=retired)
        return page(request, response, [topic_out(seen) for seen in found], cursor)

    @router.get(
        "/{slug}",
        name=f"get_{one}",
        description=f"Read one of the {many} of the network.",
        responses=refusals(MissingScope, TopicNotFound),
    )
    async def get_topic(
        slug: Named, response: Response, reading: CurrentReading, actor: CurrentActor
    ) -> TopicOut:
        return answer(response, await topic_seen(reading, kind, slug, actor=actor))

    @router.patch(
        "/{slug}",
        name=f"patch_{one}",
        description=f"Change one of the {many}. Only the secretariat may.",
        responses=refusals(*CHANGING),
    )
    async def patch_topic(
        slug: Named,
        body: TopicPatch,
        response: Response,
        session: Transaction,
        actor: CurrentActor,
        now: Now,
        expected: ExpectedVersion,
    ) -> TopicOut:
        changes = cast(TopicChanges, body.model_dump(exclude_unset=True))
        seen = await change_topic(
            session, kind, slug, actor=actor, now=now, expected=expected, changes=changes
        )
        return answer(response, seen)

    @router.post(
        "/{slug}/retirement",
        name=f"post_{one}_retirement",
        description=f"Let no further project name one of the {many}; those that do keep it.",
        dependencies=[Idempotent],
        responses=refusals(*CHANGING, TopicRetiredBefore),
    )
    async def post_topic_retirement(
        slug: Named,
        response: Response,
        session: Transaction,
        actor: CurrentActor,
        now: Now,
        expected: ExpectedVersion,
    ) -> TopicOut:
        seen = await retire_topic(session, kind, slug, actor=actor, now=now, expected=expected)
        return answer(response, seen)

    @router.post(
        "/{slug}/reinstatement",
        name=f"post_{one}_reinstatement",
        description=f"Let projects name one of the {many} again.",
        dependencies=[Idempotent],
        responses=refusals(*CHANGING, TopicNotRetired),
    )
    async def post_topic_reinstatement(
        slug: Named,
        response: Response,
        session: Transaction,
        actor: CurrentActor,
        now: Now,
        expected: ExpectedVersion,
    ) -> TopicOut:
        seen = await reinstate_topic(session, kind, slug, actor=actor, now=now, expected=expected)
        return answer(response, seen)

    return router


objectives = router_of(Resource(Objective, "objective", "objectives"))
themes = router_of(Resource(Theme, "theme", "themes"))
