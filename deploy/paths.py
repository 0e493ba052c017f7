"""Where the parts of a checkout are."""

from pathlib import Path
from typing import Final

REPOSITORY: Final = Path(__file__).resolve().parent.parent
DOCS: Final = REPOSITORY / "docs"
