"""Use case: what has become different about an official is noted in the member's audit trail."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from services.members.model.audit import JSON
from services.members.use_cases.record import different, record
from shared.actor import Actor
from shared.contracts.members import OfficialState


async def record_change(
    session: AsyncSession,
    before: OfficialState,
    after: OfficialState,
    *,
    by: Actor | None,
    now: datetime,
    reason: str | None = None,
) -> None:
    """Note a change of an official: what they may do, and whether they may, in words of its own.

    Of how they are called only that it changed is said.
    """
    fields = [name for name in different(before, after) if name != "scopes"]  # follow from roles
    found: dict[str, Mapping[str, JSON]] = {}
    if "status" in fields:
        found["blocked" if after.status == "blocked" else "unblocked"] = {}
    if "roles" in fields:
        found["role_changed"] = {"roles": after.roles, "former_roles": before.roles}
    if rest := [name for name in fields if name not in ("status", "roles")]:
        found["changed"] = {"fields": rest}
    for happened, details in found.items():
        await record(
            session,
            member=after.member,
            action=f"official.{happened}",
            subject=f"official:{after.id}",
            actor=by,
            at=now,
            reason=reason,
            details=details,
        )
