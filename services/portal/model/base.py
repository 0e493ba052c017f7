"""Root of the tables of this service."""

from sqlalchemy import MetaData
from sqlalchemy.orm import DeclarativeBase, MappedAsDataclass

from shared.database import NAMING, TYPES


class Base(MappedAsDataclass, DeclarativeBase, eq=False):
    """Gives entities a typed constructor, and metadata that no other service shares."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = TYPES
