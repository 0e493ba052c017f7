"""What each role covers."""

import pytest

from services.members.model.rights import scopes_of
from services.members.model.scopes import SCOPES
from shared.contracts.members import Role


@pytest.mark.parametrize(
    ("role", "more"),
    [
        ("observer", []),
        ("contributor", ["projects:contribute"]),
        ("coordinator", ["projects:contribute", "projects:write"]),
        ("administrator", ["members:write", "notifications:write"]),
    ],
)
def test_every_role_reads_and_may_do_what_is_its_own(role: Role, more: list[str]) -> None:
    reading = {"members:read", "projects:read", "notifications:read"}

    assert set(scopes_of([role])) == reading | set(more)


def test_several_roles_cover_what_each_of_them_does_in_the_usual_order() -> None:
    assert scopes_of(["coordinator", "administrator"]) == tuple(
        scope for scope in SCOPES if scope != "network:write"
    )


def test_without_a_role_nothing_is_covered() -> None:
    assert scopes_of([]) == ()


def test_only_the_hosts_administrators_run_the_network() -> None:
    assert scopes_of(["administrator"], is_host=True) == tuple(
        scope for scope in SCOPES if not scope.startswith("projects:") or scope == "projects:read"
    )
    assert "network:write" not in scopes_of(["coordinator"], is_host=True)
