"""Refusals: the platform understood the request and says no. Expected, never logged as errors."""

from collections.abc import Callable
from typing import Any, ClassVar


class Refusal(Exception):
    """Base of every refusal. Raise a subclass that names the broken rule.

    `code` is public: clients branch on it, so it outlives a renaming of the class.
    """

    code: ClassVar[str]
    title: ClassVar[str]

    def __init__(self, detail: str, *, members: dict[str, Any] | None = None) -> None:
        """Say no.

        Args:
            detail: what is wrong in this case, in a sentence that the actor may read.
            members: further members of the problem (RFC 9457, section 3.2), ready for JSON.
        """
        super().__init__(detail)
        self.detail = detail
        self.members = members or {}


def permits(rule: Callable[..., None], *about: Any) -> bool:
    """Tell whether a rule would let something pass: what guards it also says so in advance."""
    try:
        rule(*about)
    except Refusal:
        return False
    return True


class Unauthenticated(Refusal):
    """We do not know who is asking."""

    code = "unauthenticated"
    title = "A valid access token is needed"


class Forbidden(Refusal):
    """The actor may see the thing but not do this to it."""


class NotFound(Refusal):
    """There is no such thing, or the actor may not learn that there is."""


class Gone(Refusal):
    """It was there, and is kept no longer."""


class Conflict(Refusal):
    """The present state of the thing rules this out."""


class Invalid(Refusal):
    """The request contradicts itself or names something that does not exist."""


class PreconditionFailed(Refusal):
    """The thing has changed since the actor read it."""


class PreconditionRequired(Refusal):
    """The request must say which version of the thing it means."""


class TooLarge(Refusal):
    """The request is bigger than the platform takes."""


class MediaTypeUnsupported(Refusal):
    """The body of the request is in a form that this address does not read."""


class TooManyRequests(Refusal):
    """Whoever asks has asked too often; `members` say when to come again, as `retry_after`."""


class Unavailable(Refusal):
    """A part that this answer needs is away for the moment; asking again later helps."""
