"""Root of the tables of this service."""

from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import LargeBinary, MetaData, Uuid
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import DeclarativeBase, Mapped, MappedAsDataclass, declared_attr, mapped_column

from shared.database import NAMING, TYPES


class Base(MappedAsDataclass, DeclarativeBase, eq=False):
    """Gives entities a typed constructor, and metadata that no other service shares."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        **TYPES,
        bytes: LargeBinary,
        tuple[UUID, ...]: ARRAY(Uuid(), as_tuple=True),
    }


class Versioned(MappedAsDataclass, kw_only=True):
    """An entity whose version rises by one with each change.

    Every UPDATE names the version it was read at, so that a change made meanwhile is never lost and
    facts about the entity leave in the order of their versions.
    """

    version: Mapped[int] = mapped_column(init=False, default=1)

    @declared_attr.directive
    def __mapper_args__(cls) -> dict[str, Any]:  # noqa: N805 -- a class is what this gets
        return {"version_id_col": cls.version, "version_id_generator": False}
