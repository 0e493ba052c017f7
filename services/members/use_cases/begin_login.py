"""Use case: a browser leaves for a provider."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.members.model.authorization_request import AuthorizationRequest
from services.members.model.id_token import LoginRefused, Metadata
from services.members.model.identity_provider import IdentityProvider
from services.members.model.login_attempt import LASTS, LoginAttempt, LoginPurpose
from services.members.model.upstream import begin
from shared.actor import STRONG
from shared.identifiers import new_id
from shared.one_time import hash_of
from shared.sealing import Seals


@dataclass(frozen=True, slots=True)
class Wishes:
    """What an application asks of a login.

    Attributes:
        max_age: seconds since the person proved who they are, at most.
        is_strong: whether a second factor is needed.
        again: whether they must prove it now.
        authorization_id: what to go on with afterwards.
    """

    max_age: int | None = None
    is_strong: bool = False
    again: bool = False
    authorization_id: UUID | None = None

    @classmethod
    def of(cls, asked: AuthorizationRequest | None) -> "Wishes":
        """Read them from what the application sent, which was checked before."""
        if asked is None:
            return cls()
        given = asked.parameters
        max_age = given.get("max_age", "")
        return cls(
            max_age=int(max_age) if max_age.isdecimal() else None,
            is_strong=STRONG in given.get("acr_values", "").split(),
            again="login" in given.get("prompt", "").split(),
            authorization_id=asked.id,
        )


async def begin_login(
    session: AsyncSession,
    provider: IdentityProvider,
    metadata: Metadata,
    *,
    wishes: Wishes,
    purpose: LoginPurpose,
    browser: str,
    callback: str,
    longest: timedelta,
    ui_locales: str,
    seals: Seals,
    now: datetime,
) -> str:
    """Note what must be known when the browser comes back.

    Args:
        session: of the database.
        provider: where it goes.
        metadata: which has been found usable.
        wishes: what is asked of the login.
        purpose: whether somebody wants to come in, or to try the provider.
        browser: its cookie, to know it again by.
        callback: where it comes back to.
        longest: how long ago the person may have proved who they are if nothing is asked.
        ui_locales: languages for the provider's pages.
        seals: for what is kept.
        now: when.

    Returns:
        The address to send the browser to.

    Raises:
        LoginRefused: the provider cannot do what is asked.
    """
    if wishes.is_strong and not provider.strong_acr:
        raise LoginRefused("not-strong-enough")
    max_age = 0 if wishes.again else wishes.max_age
    beginning = begin(
        provider,
        metadata,
        callback=callback,
        max_age=int(longest.total_seconds()) if max_age is None else max_age,
        acr_values=provider.strong_acr if wishes.is_strong else (),
        again=wishes.again,
        ui_locales=ui_locales,
    )
    attempt_id = new_id()
    place = LoginAttempt.place(attempt_id)
    session.add(
        LoginAttempt(
            id=attempt_id,
            state_hash=hash_of(beginning.state),
            browser_hash=hash_of(browser),
            provider_id=provider.id,
            purpose=purpose,
            nonce_hash=hash_of(beginning.nonce),
            sealed_verifier=seals.seal(beginning.verifier.encode(), place=place),
            max_age=max_age,
            acr_values=provider.strong_acr if wishes.is_strong else (),
            authorization_id=wishes.authorization_id,
            expires_at=now + LASTS,
        )
    )
    return beginning.url
