"""What the owner of an endpoint wants, checked, and turned into what is kept of it.

Used by those who make an endpoint and those who change one.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic_core import from_json, to_json
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifications.model.authentication import (
    Authentication,
    ClientCertificate,
    ClientCredentials,
    authentication_place,
    ensure_consistent,
    ensure_usable,
    sealable,
)
from services.notifications.model.custom_headers import ensure_headers
from services.notifications.model.event_types import ensure_known
from services.notifications.model.webhook_address import ensure_allowed
from services.notifications.model.webhook_endpoint import WebhookEndpoint, headers_place
from services.notifications.queries.webhook_endpoints import ensure_projects_visible
from shared.actor import Actor
from shared.addresses import Networks
from shared.sealing import CannotOpen, Seals


@dataclass(frozen=True, slots=True)
class Workshop:
    """What is needed to check a wish: where requests may go, what seals, and when it is."""

    networks: Networks
    seals: Seals
    now: datetime


async def kept_of(
    session: AsyncSession,
    wanted: Mapping[str, Any],
    endpoint: WebhookEndpoint,
    *,
    actor: Actor,
    workshop: Workshop,
) -> dict[str, Any]:
    """Check what is wanted of an endpoint, and seal what is secret of it.

    Args:
        session: to look with.
        wanted: names the fields of an endpoint; `headers` holds all of them by name, and
            `authentication` is what the model knows by this name, or nothing.
        endpoint: as it is.
        actor: who wants it.
        workshop: see there.

    Returns:
        What to change, by name of the column.

    Raises:
        WebhookAddressNotAllowed: no webhook, or no request for an access token, may go there.
        EventTypeUnknown: one of the types will never match.
        WebhookProjectUnknown: the actor's member sees no such project.
        WebhookHeaderNotAllowed: one of the headers is not the owner's to choose.
        WebhookCertificateUnusable: the certificate or its key is not good.
        WebhookAuthenticationContradictory: two of these cannot be together.
    """
    kept = {name: wanted[name] for name in wanted if name not in {"headers", "authentication"}}
    if "url" in wanted:
        kept["url"] = ensure_allowed(wanted["url"], networks=workshop.networks)
    if "event_types" in wanted:
        ensure_known(wanted["event_types"])
    if "project_ids" in wanted:
        added = set(wanted["project_ids"]) - set(endpoint.project_ids)
        await ensure_projects_visible(session, added, actor=actor)
    if "headers" in wanted:
        kept |= _headers(wanted["headers"] or {}, endpoint, workshop)
    if "authentication" in wanted:
        if isinstance(wanted["authentication"], ClientCertificate):
            # A third of a second of arithmetic, in which others are served.
            await asyncio.to_thread(ensure_usable, wanted["authentication"], now=workshop.now)
        kept |= _authentication(wanted["authentication"], endpoint, workshop)
    ensure_consistent(
        kept.get("authentication", endpoint.authentication),
        url=kept.get("url", endpoint.url),
        header_names=kept.get("header_names", endpoint.header_names),
    )
    return kept


def _headers(
    headers: Mapping[str, str], endpoint: WebhookEndpoint, workshop: Workshop
) -> dict[str, Any]:
    ensure_headers(headers)
    place = headers_place(endpoint.id)
    if headers == _known(endpoint.sealed_headers, place, workshop.seals, {}):
        return {}
    sealed = workshop.seals.seal(to_json(headers), place=place) if headers else None
    return {"header_names": tuple(sorted(headers)), "sealed_headers": sealed}


def _authentication(
    wanted: Authentication | None, endpoint: WebhookEndpoint, workshop: Workshop
) -> dict[str, Any]:
    if isinstance(wanted, ClientCredentials):
        ensure_allowed(wanted.token_url, networks=workshop.networks)
    place = authentication_place(endpoint.id)
    if wanted is None:
        return {
            "authentication": "none",
            "sealed_authentication": None,
            "authentication_details": None,
        }
    written = sealable(wanted)
    known = _known(endpoint.sealed_authentication, place, workshop.seals, None)
    if known is not None and known == from_json(written):
        return {}
    return {
        "authentication": wanted.kind,
        "sealed_authentication": workshop.seals.seal(written, place=place),
        "authentication_details": wanted.details(),
    }


def _known(sealed: str | None, place: str, seals: Seals, otherwise: Any) -> Any:
    """Open what is kept, to see whether anything is different; what cannot be opened is."""
    if sealed is None:
        return otherwise
    try:
        return from_json(seals.open(sealed, place=place))
    except CannotOpen:
        return None
