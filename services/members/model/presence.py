"""A person who is logged in, through which application, and what is their own business there."""

from dataclasses import dataclass

from services.members.model.client import Client
from services.members.model.member import Member
from services.members.model.official import Official
from services.members.model.sign_in import SignIn
from services.members.model.token_family import TokenFamily
from shared.refusals import Forbidden, NotFound


class PersonNeeded(Forbidden):
    code = "person-needed"
    title = "Only a person who has logged in may do this"


class OnlyThePlatformItself(Forbidden):
    code = "only-the-platform-itself"
    title = "Only an application of the platform itself may do this"


class OwnSessionNotFound(NotFound):
    code = "session-not-found"
    title = "You have no such session"


class ConsentNotFound(NotFound):
    code = "consent-not-found"
    title = "You have let no such application act for you"


@dataclass(frozen=True, slots=True)
class Presence:
    """An official in a session: `family` in the application, `sign_in` in the browser."""

    official: Official
    member: Member
    family: TokenFamily
    sign_in: SignIn
    client: Client

    def ensure_trusted(self) -> None:
        """Refuse to show or end what a person does elsewhere, unless the platform itself asks.

        An application of others may do in a person's name what they consented to; where else they
        are logged in, and what others may do for them, is none of its business.

        Raises:
            OnlyThePlatformItself: it is another application.
        """
        if not self.client.is_first_party:
            raise OnlyThePlatformItself("Use the pages of the platform for this.")
