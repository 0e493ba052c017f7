"""What the supervisor promises, shown on small processes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from deploy.embedded.layout import REPOSITORY
from deploy.embedded.platform import Platform
from deploy.embedded.supervisor import is_running

STANDIN = (sys.executable, "-m", "tests.deploy.standin_platform")


def standin_platform(place: Path) -> Platform:
    return Platform(place, command=STANDIN)


def start_again(place: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*STANDIN, f"--state={place}", *arguments],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def until(true: Callable[[], bool], *, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.01)


async def test_a_killed_process_is_back_within_two_seconds(tmp_path: Path) -> None:
    async with standin_platform(tmp_path) as platform:
        killed = platform.kill("second")

        await platform.wait_restarted("second", killed, seconds=2)

        assert platform.restarts("second") == 1
        assert platform.restarts("first") == 0


async def test_what_a_killed_process_had_started_is_gone(tmp_path: Path) -> None:
    async with standin_platform(tmp_path) as platform:
        pid = platform.pid("third")
        assert pid is not None
        (started,) = psutil.Process(pid).children()

        killed = platform.kill("third")

        await platform.wait_restarted("third", killed)
        assert not is_running(started.pid)


async def test_a_paused_process_stays_away_until_it_is_resumed(tmp_path: Path) -> None:
    async with standin_platform(tmp_path) as platform:
        before = platform.pid("second")

        await platform.pause("second")

        assert platform.pid("second") is None
        assert before is not None
        assert not is_running(before)
        await platform.resume("second")
        assert platform.pid("second") not in (None, before)


async def test_a_process_that_stops_answering_is_replaced(tmp_path: Path) -> None:
    async with standin_platform(tmp_path) as platform:
        hung = platform.pid("first")
        assert hung is not None

        os.kill(hung, signal.SIGSTOP)

        await platform.wait_restarted("first", hung, seconds=25)


async def test_a_killed_supervisor_leaves_no_process_behind(tmp_path: Path) -> None:
    platform = standin_platform(tmp_path)
    await platform.start()
    pids = [pid for name in platform.names() if (pid := platform.pid(name))]
    assert len(pids) == 3

    platform.kill_supervisor()

    until(lambda: not any(map(is_running, pids)), seconds=5)
    await platform.stop()


async def test_a_platform_starts_again_where_its_supervisor_was_killed(tmp_path: Path) -> None:
    platform = standin_platform(tmp_path)
    await platform.start()
    platform.kill_supervisor()
    await platform.stop()

    async with platform:
        assert [platform.pid(name) is not None for name in platform.names()] == [True] * 3


async def test_stopping_ends_every_process(tmp_path: Path) -> None:
    platform = standin_platform(tmp_path)
    await platform.start()
    pids = [pid for name in platform.names() if (pid := platform.pid(name))]

    await platform.stop()

    assert not any(map(is_running, pids))
    assert platform.state.read_state()["phase"] == "stopped"


async def test_a_second_start_in_the_same_place_is_refused_in_one_line(tmp_path: Path) -> None:
    async with standin_platform(tmp_path) as platform:
        second = start_again(tmp_path)

        assert second.returncode == 1
        assert second.stderr == (
            f"Renkei already runs in {tmp_path}: http://nowhere, process {platform.supervisor_pid}."
            " Stop it with `./run stop`.\n"
        )
        assert platform.pid("first") is not None


def test_a_process_that_cannot_start_ends_the_others(tmp_path: Path) -> None:
    failed = start_again(tmp_path, "--fail")

    assert failed.returncode == 1
    assert "second ended with exit code 1" in failed.stderr
    assert "fails on purpose" in (tmp_path / "logs" / "second.log").read_text()
    assert not [
        process.pid
        for process in psutil.process_iter(["cmdline"])
        if "tests.deploy.standin_service" in (process.info["cmdline"] or [])
        and str(tmp_path) in str(process.environ())
    ]
