"""Every SELECT of the audit trail."""

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from services.members.model.audit import BEGINNING, AuditHead


def head_for_change(session: Session, member: str) -> AuditHead:
    """Load the end of a member's trail, locked; a trail begins when it is first asked for.

    Without `await`, because entries are appended while a transaction commits.
    """
    head = session.get(AuditHead, member, with_for_update=True, populate_existing=True)
    if head is None:
        # Of two who begin a trail at once the second one waits here, and then finds it.
        begun = insert(AuditHead).values(member=member, length=0, hash=BEGINNING)
        session.execute(begun.on_conflict_do_nothing())
        head = session.get_one(AuditHead, member, with_for_update=True, populate_existing=True)
    return head
