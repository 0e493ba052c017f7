"""How a child process is tied to its parent, and how PostgreSQL runs when we are root.

PostgreSQL refuses root. A user namespace in which root is an ordinary user costs nothing and needs
no other files; where the kernel or a container forbids it, PostgreSQL runs as `nobody` from a copy
that `nobody` can reach.
"""

import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_CLONE_NEWUSER = 0x10000000
_MAPPED_ID = 1000

# Loaded here and not after the fork, where loading could block.
_libc = ctypes.CDLL(None, use_errno=True)

BeforeExec = Callable[[], None]


def die_with_parent(death_signal: signal.Signals, then: BeforeExec | None = None) -> BeforeExec:
    """What a child runs before its program, so that it gets a signal when its parent dies.

    Args:
        death_signal: what the kernel sends when the parent is gone.
        then: changes the child's identity; runs first, because that would clear the death signal.
    """
    parent = os.getpid()

    def prepare() -> None:
        if then is not None:
            then()
        if sys.platform == "linux":
            _libc.prctl(_PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
            if os.getppid() != parent:
                os._exit(1)

    return prepare


def enter_user_namespace() -> None:
    """Become an ordinary user to programs that refuse root, while files stay root's."""
    user, group = os.geteuid(), os.getegid()
    if _libc.unshare(_CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{_MAPPED_ID} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{_MAPPED_ID} {group} 1")


def become_nobody() -> None:
    """Give up root for good."""
    nobody = pwd.getpwnam("nobody")
    os.setgroups([])
    os.setgid(nobody.pw_gid)
    os.setuid(nobody.pw_uid)


@cache
def user_namespace_works() -> bool:
    """Whether this machine lets us enter a user namespace."""
    if sys.platform != "linux":
        return False
    try:
        # What fails before the program starts is reported as SubprocessError without its reason.
        subprocess.run([sys.executable, "-c", ""], preexec_fn=enter_user_namespace, check=True)
    except (OSError, subprocess.SubprocessError):
        return False
    return True


def copy_for_nobody(site_packages: Path, folders: tuple[str, ...]) -> Path:
    """Copy folders to a place that `nobody` can reach, with the same relative places.

    Returns:
        A new directory owned by `nobody`.
    """
    nobody = pwd.getpwnam("nobody")
    place = Path(tempfile.mkdtemp(prefix="renkei-postgres-", dir="/var/tmp"))
    place.chmod(0o755)
    for folder in folders:
        shutil.copytree(site_packages / folder, place / folder, symlinks=True)
    os.chown(place, nobody.pw_uid, nobody.pw_gid)
    return place
