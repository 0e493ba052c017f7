"""All that a sender must know of an endpoint to send to it, its secrets opened."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from pydantic_core import from_json, to_json

from services.notifications.model.authentication import Authentication
from services.notifications.model.signing import SigningKey


@dataclass(frozen=True, slots=True)
class Key:
    """What signs, and from when it does no longer."""

    signs: SigningKey
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a sender posts, what it adds, and how it shows who it is.

    `headers` are those that the owner of the endpoint wants with every request; `shows` is what the
    receiver wants to see of us, if it does.
    """

    url: str
    keys: Sequence[Key]
    is_thin: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)
    shows: Authentication | None = None

    def keys_at(self, now: datetime) -> list[SigningKey]:
        return [key.signs for key in self.keys if key.expires_at is None or key.expires_at > now]


def thin_form(body: bytes, *, dataref: str) -> bytes:
    """Make of a fact what says that it happened, and where it can be read.

    Args:
        body: of a CloudEvent in JSON.
        dataref: address of the fact. Source: CloudEvents extension "Dataref (Claim Check)".
    """
    said = from_json(body)
    said["data"] = {"id": said["subject"], "version": said["entityversion"]}
    return to_json(said | {"dataref": dataref})
