"""Alembic entry of the members service."""

from services.members.model.authorization_request import AuthorizationRequest
from services.members.model.base import Base
from services.members.model.client import Client
from services.members.model.email_domain import EmailDomain
from services.members.model.identity import Identity
from services.members.model.identity_provider import IdentityProvider
from services.members.model.login_attempt import LoginAttempt
from services.members.model.member import Member
from services.members.model.official import Official
from services.members.model.sign_in import SignIn
from services.members.model.signing_key import SigningKey
from services.members.model.token_family import TokenFamily
from shared.migrating import migrate

TABLES = (
    AuthorizationRequest,
    Client,
    EmailDomain,
    Identity,
    IdentityProvider,
    LoginAttempt,
    Member,
    Official,
    SignIn,
    SigningKey,
    TokenFamily,
)

migrate(Base.metadata)
