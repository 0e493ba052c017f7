"""Every setting is documented where operators look."""

import re
from importlib import import_module

from deploy.operations.services import DATABASES
from deploy.paths import REPOSITORY


def test_every_setting_stands_in_the_example_environment() -> None:
    example = (REPOSITORY / "deploy" / "env.example").read_text(encoding="utf-8")
    documented = set(re.findall(r"^#?(RENKEI_[A-Z0-9_]+)=", example, re.MULTILINE))

    read = {
        f"RENKEI_{name.upper()}"
        for service in DATABASES
        for name in getattr(
            import_module(f"services.{service}.settings"), f"{service.capitalize()}Settings"
        ).model_fields
    }

    assert read <= documented
