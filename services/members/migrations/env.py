"""Alembic entry of the members service."""

from services.members.model.base import Base
from services.members.model.client import Client
from services.members.model.member import Member
from services.members.model.official import Official
from services.members.model.signing_key import SigningKey
from shared.migrating import migrate

TABLES = (Client, Member, Official, SigningKey)

migrate(Base.metadata)
