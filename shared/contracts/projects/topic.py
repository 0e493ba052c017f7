"""Facts about the lists that the secretariat keeps: strategic objectives and themes."""

from datetime import datetime
from typing import ClassVar

from shared.contracts.event import Event, State


class TopicState(State):
    """Something that projects of the network can serve; once retired, no further one can."""

    key: ClassVar[str] = "slug"

    slug: str
    title: dict[str, str]
    description: dict[str, str] | None
    position: int
    is_retired: bool
    created_at: datetime
    updated_at: datetime


class ObjectiveEvent(Event[TopicState]):
    publisher: ClassVar[str] = "projects"
    entity: ClassVar[str] = "objective"


class ObjectiveAdded(ObjectiveEvent):
    """The network has a new strategic objective."""

    happened: ClassVar[str | None] = "added"


class ObjectiveChanged(ObjectiveEvent):
    """Title, description or position of a strategic objective are different now."""

    happened: ClassVar[str | None] = "changed"


class ObjectiveRetired(ObjectiveEvent):
    """No further project can serve the strategic objective."""

    happened: ClassVar[str | None] = "retired"


class ObjectiveReinstated(ObjectiveEvent):
    """Projects can serve the strategic objective again."""

    happened: ClassVar[str | None] = "reinstated"


class ThemeEvent(Event[TopicState]):
    publisher: ClassVar[str] = "projects"
    entity: ClassVar[str] = "theme"


class ThemeAdded(ThemeEvent):
    """The network has a new theme."""

    happened: ClassVar[str | None] = "added"


class ThemeChanged(ThemeEvent):
    """Title, description or position of a theme are different now."""

    happened: ClassVar[str | None] = "changed"


class ThemeRetired(ThemeEvent):
    """No further project can have the theme."""

    happened: ClassVar[str | None] = "retired"


class ThemeReinstated(ThemeEvent):
    """Projects can have the theme again."""

    happened: ClassVar[str | None] = "reinstated"
