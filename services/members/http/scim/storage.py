"""Where SCIM finds and changes people and groups: the officials of one member.

Nothing is kept here: whatever a directory says becomes the same verbs that the API has.
"""

import hashlib
import json
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from pydantic import ValidationError
from scim2_models import (
    GroupMembership,
    InvalidValueException,
    Meta,
    NotFoundException,
    PreconditionFailedException,
    Reference,
    Resource,
    ResourceType,
    ResponseParameters,
    ScimFilter,
    SearchRequest,
    TooManyException,
)
from scim2_models.path import CompareOperator, Comparison, LogicalExpr, LogicalOperator
from scim2_server.storage import AsyncScimStorage, SearchPage
from sqlalchemy import false
from sqlalchemy.ext.asyncio import AsyncSession

from services.members.http.scim.languages import language_tag
from services.members.http.scim.resources import Address, Group, Included, User
from services.members.model.official import Official
from services.members.model.scim import ScimGroup, ScimUser, name_key_of
from services.members.queries.scim import (
    Circle,
    Condition,
    Person,
    circles_of,
    count_groups,
    count_people,
    has_address,
    is_called,
    people_of,
)
from services.members.use_cases.change_provisioned_group import change_provisioned_group
from services.members.use_cases.change_provisioned_official import (
    change_provisioned_official,
    title_of,
)
from services.members.use_cases.enter_by_scim import Directory
from services.members.use_cases.erase_official import erase_official
from services.members.use_cases.provision_group import provision_group
from services.members.use_cases.provision_official import provision_official
from services.members.use_cases.remove_provisioned_group import remove_provisioned_group
from services.members.use_cases.scim_fields import ProvisionedFields, ProvisionedGroupFields
from shared.actor import ANY_LOGIN
from shared.fields import NO_TEXT

LOOKED_AT_MAX: Final = 1_000
"""How many are looked at one by one, when a filter is none that the database has an index for."""


class MemberStorage(AsyncScimStorage):
    """The people and groups of the member whose directory asks, and of no other."""

    def __init__(self, session: AsyncSession, directory: Directory, now: datetime) -> None:
        self.session = session
        self.directory = directory
        self.now = now

    async def get(
        self,
        resource_type: ResourceType,
        resource_id: str,
        *,
        response_parameters: ResponseParameters[Any] | None = None,
    ) -> Resource[Any]:
        del response_parameters  # a version is of the whole, whatever is shown of it
        identifier = _identifier(resource_id)
        key = Official.id if _is_user(resource_type) else ScimGroup.id
        for found in await self._load(resource_type, key == identifier, limit=1):
            return found
        raise _unknown(resource_id)

    async def search(
        self,
        resource_types: list[ResourceType],
        search_request: SearchRequest[Any],
        *,
        position: Any = None,
    ) -> SearchPage:
        del position  # there are no cursors
        start, count = search_request.start_index_0 or 0, search_request.count or 0
        wants_all = search_request.filter is None and search_request.sort_by is None
        if wants_all and len(resource_types) == 1:
            [kind] = resource_types
            total = await self._count(kind)
            page = await self._load(kind, offset=min(start, total), limit=count)
            return SearchPage(total, page)
        candidates: list[Resource[Any]] = []
        for kind in resource_types:
            narrow = _narrowed(kind, search_request.filter)
            loaded = await self._load(kind, *narrow, limit=LOOKED_AT_MAX)
            candidates += loaded
            is_cut = bool(loaded) and await self._load(kind, *narrow, offset=len(loaded), limit=1)
            if is_cut or len(candidates) > LOOKED_AT_MAX:
                raise TooManyException(detail="Ask with `eq` for a name, an address or an id.")
        wanted = search_request.filter
        found = [one for one in candidates if wanted is None or wanted.match(one)]
        found = search_request.sort(found)
        return SearchPage(len(found), found[start : start + count])

    async def create(self, resource_type: ResourceType, resource: Resource[Any]) -> Resource[Any]:
        if isinstance(resource, User):
            said = _said_of_person(resource)
            made: Any = await provision_official(
                self.session, said, directory=self.directory, now=self.now
            )
        else:
            said_of_group = _said_of_group(resource)
            made = await provision_group(
                self.session, said_of_group, directory=self.directory, now=self.now
            )
        await self.session.flush()
        return await self.get(resource_type, str(made.id))

    async def update(
        self,
        resource_type: ResourceType,
        resource: Resource[Any],
        *,
        expected_version: str | None = None,
    ) -> Resource[Any]:
        identifier = await self._expected(resource_type, str(resource.id), expected_version)
        if isinstance(resource, User):
            person = _said_of_person(resource)
            await change_provisioned_official(
                self.session, identifier, person, directory=self.directory, now=self.now
            )
        else:
            group = _said_of_group(resource)
            await change_provisioned_group(
                self.session, identifier, group, directory=self.directory, now=self.now
            )
        await self.session.flush()
        return await self.get(resource_type, str(resource.id))

    async def delete(
        self,
        resource_type: ResourceType,
        resource_id: str,
        *,
        expected_version: str | None = None,
    ) -> None:
        identifier = await self._expected(resource_type, resource_id, expected_version)
        if _is_user(resource_type):
            await erase_official(
                self.session,
                self.directory.member,
                identifier,
                expected=None,
                speaker=self.directory.speaker,
                login=ANY_LOGIN,
                now=self.now,
            )
        else:
            await remove_provisioned_group(
                self.session, identifier, directory=self.directory, now=self.now
            )

    async def _expected(
        self, resource_type: ResourceType, resource_id: str, version: str | None
    ) -> UUID:
        """Refuse if it is not there, or at another version."""
        stored = await self.get(resource_type, resource_id)
        if version is not None and (stored.meta is None or stored.meta.version != version):
            raise PreconditionFailedException
        return _identifier(resource_id)

    async def _count(self, resource_type: ResourceType) -> int:
        count = count_people if _is_user(resource_type) else count_groups
        return await count(self.session, self.directory.member)

    async def _load(
        self, resource_type: ResourceType, *conditions: Condition, offset: int = 0, limit: int
    ) -> list[Resource[Any]]:
        member = self.directory.member
        if _is_user(resource_type):
            people = await people_of(self.session, member, *conditions, offset=offset, limit=limit)
            return [shown_person(person) for person in people]
        circles = await circles_of(self.session, member, *conditions, offset=offset, limit=limit)
        return [shown_circle(circle) for circle in circles]


def shown_person(person: Person) -> User:
    """Show an official as directories know people."""
    official, entry = person.official, person.entry
    unassigned = () if entry is None else entry.unassigned
    is_by_hand = official.status == "blocked" and not official.is_deactivated
    is_open = "active" in unassigned and not is_by_hand
    return User(
        id=str(official.id),
        external_id=None if entry is None else entry.external_id,
        user_name=_user_name(official, entry),
        display_name=official.name,
        title=title_of(official),
        preferred_language=None if "preferredLanguage" in unassigned else official.language,
        active=None if is_open else official.status == "active",
        emails=_addresses(official, entry),
        groups=[
            GroupMembership(
                value=str(group.id),
                ref=Reference["Group"](f"Groups/{group.id}"),
                display=group.display_name,
                type="direct",
            )
            for group in person.groups
        ]
        or None,
        meta=Meta(
            resource_type="User",
            created=official.created_at,
            last_modified=max(
                official.updated_at, entry.updated_at if entry else official.created_at
            ),
            version=_version(
                official.version,
                0 if entry is None else entry.version,
                *(f"{group.id} {group.display_name}" for group in person.groups),
            ),
        ),
    )


def shown_circle(circle: Circle) -> Group:
    """Show a group with those who are in it."""
    group = circle.group
    return Group(
        id=str(group.id),
        external_id=group.external_id,
        display_name=group.display_name,
        members=[
            Included(value=str(one), ref=Reference["User"](f"Users/{one}"))
            for one in circle.members
        ]
        or None,
        meta=Meta(
            resource_type="Group",
            created=group.created_at,
            last_modified=group.updated_at,
            version=_version(group.version, *circle.members),
        ),
    )


def _user_name(official: Official, entry: ScimUser | None) -> str:
    return entry.user_name if entry is not None else official.email or str(official.id)


def _addresses(official: Official, entry: ScimUser | None) -> list[Address] | None:
    if official.email is None:
        return None
    if entry is None:
        return [Address(value=official.email, type="work", primary=True)]
    return [Address(value=official.email, type=entry.email_type, primary=entry.email_is_primary)]


def _said_of_person(user: User) -> ProvisionedFields:
    """Read what the directory says of somebody.

    Raises:
        InvalidValueException: something of it cannot be kept.
    """
    address = _address(user.emails or [])
    try:
        return ProvisionedFields(
            user_name=user.user_name,
            external_id=_text(user.external_id),
            name=_text(user.display_name),
            email=None if address is None else _text(address.value),
            email_type=None if address is None else _text(address.type),
            email_is_primary=None if address is None else address.primary,
            title=_text(user.title),
            language=language_tag(_text(user.preferred_language)),
            active=user.active,
        )
    except ValidationError as error:
        raise _invalid(error) from error


def _said_of_group(group: Any) -> ProvisionedGroupFields:
    """Read what the directory says of a group.

    Raises:
        InvalidValueException: something of it cannot be kept.
    """
    try:
        return ProvisionedGroupFields(
            display_name=group.display_name,
            external_id=_text(group.external_id),
            members=frozenset(UUID(str(one.value)) for one in group.members or []),
        )
    except ValidationError as error:
        raise _invalid(error) from error
    except ValueError as error:
        raise InvalidValueException(detail="members.value: is no id of a User") from error


def _address(addresses: list[Address]) -> Address | None:
    """Choose the address that is kept."""
    given = [address for address in addresses if address.value]
    primary = [address for address in given if address.primary]
    work = [address for address in given if address.type == "work"]
    return next(iter(primary + work + given), None)


def _text(value: str | None) -> str | None:
    """Take what is blank as not said: directories send it for what they have no value of."""
    return value if value is not None and value.strip() else None


def _invalid(error: ValidationError) -> InvalidValueException:
    found = error.errors()[0]
    where = ".".join(str(part) for part in found["loc"])
    return InvalidValueException(detail=f"{where}: {found['msg']}"[:300])


def _version(*parts: object) -> str:
    digest = hashlib.sha256(json.dumps([str(part) for part in parts]).encode()).hexdigest()
    return f'W/"{digest[:20]}"'


def _is_user(resource_type: ResourceType) -> bool:
    return resource_type.name == "User"


def _identifier(resource_id: str) -> UUID:
    try:
        identifier = UUID(resource_id)
    except ValueError:
        raise _unknown(resource_id) from None
    if str(identifier) != resource_id.lower():
        raise _unknown(resource_id)
    return identifier


def _unknown(resource_id: str) -> NotFoundException:
    return NotFoundException(detail=f"Nothing has the id {resource_id[:60]!r}.")


def _narrowed(kind: ResourceType, wanted: ScimFilter[Any] | None) -> list[Condition]:
    """Say to the database what it can see of a filter: names, addresses and ids that are equal."""
    if wanted is None:
        return []
    node = wanted.ast
    is_and = isinstance(node, LogicalExpr) and node.op == LogicalOperator.and_
    terms = node.terms if isinstance(node, LogicalExpr) and is_and else (node,)
    found = [_equal(kind, term) for term in terms if isinstance(term, Comparison)]
    return [condition for condition in found if condition is not None]


def _equal(kind: ResourceType, node: Comparison) -> Condition | None:
    if node.op != CompareOperator.eq or not isinstance(node.value, str):
        return None
    if NO_TEXT.search(node.value):
        return false()  # nobody is called so, and the database could not be asked
    path = ".".join(filter(None, (node.attr_path.attr, node.attr_path.sub_attr))).lower()
    if path == "id":
        return _has_id(kind, node.value)
    if _is_user(kind):
        of_people = {
            "username": is_called,
            "externalid": lambda value: ScimUser.external_id == value,
            "emails": has_address,
            "emails.value": has_address,
        }
        return of_people[path](node.value) if path in of_people else None
    if path == "displayname":
        return ScimGroup.name_key == name_key_of(node.value)
    return ScimGroup.external_id == node.value if path == "externalid" else None


def _has_id(kind: ResourceType, value: str) -> Condition:
    try:
        identifier = UUID(value)
    except ValueError:
        return false()
    return (Official.id if _is_user(kind) else ScimGroup.id) == identifier
