"""What the processes of this service read from their environment."""

from pydantic import Field, SecretStr, field_validator

from shared.sealing import Seals
from shared.settings import Settings


class ProjectsSettings(Settings):
    """Settings of the projects service."""

    master_keys: SecretStr = Field(
        description="What answers that show a secret are sealed with, to be given again."
    )

    @field_validator("master_keys")
    @classmethod
    def _can_seal(cls, keys: SecretStr) -> SecretStr:
        Seals.read(keys.get_secret_value())
        return keys
