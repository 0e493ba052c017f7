"""What the processes of this service read from their environment."""

from shared.settings import Settings


class ProjectsSettings(Settings):
    """Needs nothing beyond what every service needs."""
