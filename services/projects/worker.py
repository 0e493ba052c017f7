"""The worker of the projects service: relay, copies of what members are, deadlines."""

import sys
from typing import Final

from services.projects.consumers.members import SUBSCRIPTIONS
from services.projects.model.known import KnownSession
from services.projects.settings import ProjectsSettings
from services.projects.use_cases.close_due_decisions import close_due_decisions
from services.projects.use_cases.end_announced_participations import (
    end_announced_participations,
)
from services.projects.use_cases.expire_invitations import expire_invitations
from services.projects.use_cases.note_overdue_milestones import note_overdue_milestones
from services.projects.use_cases.note_words import note_words
from services.projects.use_cases.remind_invited_members import remind_invited_members
from shared.serving import Worker
from shared.timers import Timer, forgetting

HOUR_SECONDS: Final = 3600

WORKER: Final = Worker(
    "projects",
    subscriptions=SUBSCRIPTIONS,
    timers=[
        Timer("milestones-overdue", note_overdue_milestones),
        Timer("decisions-due", close_due_decisions),
        Timer("invitations-to-remind", remind_invited_members),
        Timer("invitations-to-expire", expire_invitations),
        Timer("participations-to-end", end_announced_participations),
        Timer("note-words", note_words, every_seconds=HOUR_SECONDS),
        Timer("forget-sessions", forgetting(KnownSession.good_until), every_seconds=HOUR_SECONDS),
    ],
)


def main() -> None:
    WORKER.run(ProjectsSettings(), sys.argv[1:])


if __name__ == "__main__":
    main()
