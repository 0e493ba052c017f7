"""What a member's directory may say of people and groups."""

from typing import Annotated, Final
from uuid import UUID

from pydantic import Field

from services.members.model.official import NEWCOMER
from services.members.use_cases.fields import OfficialFields
from shared.contracts.members import Role
from shared.fields import Email, Flag, Input, LanguageTag, Line

DEFAULT_LANGUAGE: Final = "en"
GROUP_MEMBERS_MAX: Final = 1_000


class ProvisionedFields(Input):
    """A person, as the directory knows them; nothing stands for what it leaves open."""

    user_name: Line
    external_id: Line | None = None
    name: Line | None = None
    email: Email | None = None
    email_type: Line | None = None
    email_is_primary: Flag | None = None
    title: Line | None = None
    language: LanguageTag | None = None
    active: Flag | None = None

    @property
    def unassigned(self) -> tuple[str, ...]:
        """What the directory leaves open, where the network has a value all the same."""
        given = {"active": self.active, "preferredLanguage": self.language}
        return tuple(name for name, value in given.items() if value is None)

    @property
    def function(self) -> dict[str, str]:
        """The person's function, in the person's language."""
        if self.title is None:
            return dict(NEWCOMER)
        return {self.language or DEFAULT_LANGUAGE: self.title}


class ProvisionedOfficialFields(OfficialFields):
    """An official of whom the directory has told; roles come with groups."""

    roles: tuple[Role, ...] = ()


class ProvisionedGroupFields(Input):
    """A group, as the directory knows it."""

    display_name: Line
    external_id: Line | None = None
    members: Annotated[frozenset[UUID], Field(max_length=GROUP_MEMBERS_MAX)] = frozenset()
