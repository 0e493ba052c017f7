"""ETag with If-Match and If-None-Match: what was seen is not overwritten blindly, or sent twice.

Source: RFC 9110, section 13.
"""

import re
from enum import Enum
from typing import Annotated, Any, Final, Literal

from fastapi import Depends, Header, Response

from shared.contracts.event import State
from shared.http.identity import CurrentActor
from shared.refusals import PreconditionFailed, PreconditionRequired


class VersionRequired(PreconditionRequired):
    code = "version-required"
    title = "Say which version you mean with If-Match"


class VersionStale(PreconditionFailed):
    code = "version-stale"
    title = "It has changed since you read it"


def etag(version: int) -> str:
    return f'"{version}"'


def show_version(response: Response, version: int) -> None:
    """Give the version of what is answered, so that the client can name it when it changes it."""
    response.headers["ETag"] = etag(version)


async def expected_version(
    _: CurrentActor,  # whoever is not known learns nothing, not even what is missing
    if_match: Annotated[
        str | None, Header(max_length=100, description='The ETag you read, such as `"3"`.')
    ] = None,
) -> int | None:
    """Read the version that the client means; nothing stands for `*`, whatever it is.

    Raises:
        VersionRequired: there is no If-Match, or none that we gave out.
    """
    if if_match is None:
        raise VersionRequired("Read the thing first and send its ETag as If-Match.")
    if if_match.strip() == "*":
        return None
    found = re.fullmatch(r'\s*"(\d{1,10})"\s*', if_match)
    if found is None:
        raise VersionRequired('If-Match must be one ETag that you read, such as "3".')
    return int(found[1])


ExpectedVersion = Annotated[int | None, Depends(expected_version)]


class Absence(Enum):
    """That there is no such thing yet."""

    NEW = "new"


NEW: Final = Absence.NEW
Expectation = int | Literal[Absence.NEW] | None
"""A version, that it is new, or nothing for whatever it is."""


async def expectation(
    actor: CurrentActor,
    if_match: Annotated[
        str | None, Header(max_length=100, description='The ETag you read, such as `"3"`.')
    ] = None,
    if_none_match: Annotated[
        str | None, Header(max_length=100, description="`*`, to make it if it is not there.")
    ] = None,
) -> Expectation:
    """Read what the client expects of a thing that it makes or changes at one address.

    Raises:
        VersionRequired: it does not say, or says both.
    """
    if if_none_match is None:
        return await expected_version(actor, if_match)
    if if_match is not None or if_none_match.strip() != "*":
        raise VersionRequired("Send either `If-None-Match: *` or If-Match with the ETag you read.")
    return NEW


Expected = Annotated[Expectation, Depends(expectation)]


def ensure_version(expected: int | None, state: State) -> None:
    """Refuse if the thing has changed; the problem carries how it is now.

    Raises:
        VersionStale: `expected` is another version.
    """
    if expected is None or expected == state.version:
        return
    current: dict[str, Any] = state.model_dump(mode="json")
    raise VersionStale(
        f"You read version {expected}; it is at version {state.version} now.",
        members={"current": current},
    )


def is_among(etag: str, if_none_match: str) -> bool:
    """Tell whether the client has this already. Source: RFC 9110, section 13.1.2."""
    known = (each.strip().removeprefix("W/") for each in if_none_match.split(","))
    return any(each in {etag, "*"} for each in known)
