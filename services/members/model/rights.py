"""What an official may do, by role."""

from collections.abc import Iterable
from typing import Final

from services.members.model.scopes import SCOPES, SECRETARIAT, Scope
from shared.contracts.members import Role

READING: Final[frozenset[Scope]] = frozenset(
    {"members:read", "projects:read", "notifications:read"}
)

OF_ROLE: Final[dict[Role, frozenset[Scope]]] = {
    "administrator": READING | {"members:write", "notifications:write"},
    "coordinator": READING | {"projects:contribute", "projects:write"},
    "contributor": READING | {"projects:contribute"},
    "observer": READING,
}


def scopes_of(roles: Iterable[Role], *, is_host: bool = False) -> tuple[Scope, ...]:
    """Name what roles cover, in the order in which scopes are always shown.

    Args:
        roles: of one official.
        is_host: whether the member runs the network: its administrators are the secretariat.
    """
    covered: set[Scope] = set()
    for role in roles:
        covered |= OF_ROLE[role]
        if is_host and role == "administrator":
            covered.add(SECRETARIAT)
    return tuple(scope for scope in SCOPES if scope in covered)


def are_more(roles: Iterable[Role], *, than: Iterable[Role]) -> bool:
    """Tell whether roles cover anything that others do not."""
    return not set(scopes_of(roles)) <= set(scopes_of(than))
