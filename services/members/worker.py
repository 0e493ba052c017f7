"""The worker of the members service: it sends facts, and hears none."""

import sys
from typing import Final

from services.members.settings import MembersSettings
from shared.serving import Worker

WORKER: Final = Worker("members")


def main() -> None:
    WORKER.run(MembersSettings(), sys.argv[1:])


if __name__ == "__main__":
    main()
