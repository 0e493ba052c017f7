"""How long a token is still taken after its session has ended, at every service."""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from httpx2 import AsyncClient

from deploy.embedded.layout import SERVICES
from tests.benchmarks.findings import Finding, at_most, percentile
from tests.benchmarks.rounds import Run
from tests.faults.town import QUESTIONS, Town, running_town

SUBJECT: Final = "Logging out"
PAUSE_SECONDS: Final = 0.005
PATIENCE_SECONDS: Final = 30.0


async def measure(place: Path, run: Run) -> list[Finding]:
    """Log people out of a whole platform with two of each process."""
    count = run.count(100, 20)
    run.begin("Logging out: starting the platform", 1)
    took: dict[str, list[float]] = {service: [] for service in SERVICES}
    async with running_town(place) as town:
        run.begin("Logging out", count)
        for number in range(count + 1):
            milliseconds = await _logged_out(town)
            if number == 0:
                continue  # what everybody does for the first time
            for service, found in zip(SERVICES, milliseconds, strict=True):
                took[service].append(found)
            run.step("")
    run.end()
    return [
        Finding(
            subject=SUBJECT,
            what=f"until {service} refuses the token, p{percent}",
            unit="ms",
            ours=percentile(took[service], percent),
            target=at_most(2_000) if percent == 99 else None,
        )
        for service in SERVICES
        for percent in (50, 99)
    ]


async def _logged_out(town: Town) -> Sequence[float]:
    """Let somebody log in and out, and ask every service until it refuses.

    Returns:
        Milliseconds from the logout to the first refusal, by service.
    """
    person = town.traffic.people[0]
    issued = await person.log_in()
    token = str(issued["access_token"])
    while True:
        statuses = [await _status(town.traffic.http, service, token) for service in SERVICES]
        if statuses == [200 for _ in SERVICES]:
            break
    began = time.perf_counter()
    _, *refused = await asyncio.gather(
        town.revoke(str(issued["refresh_token"])),
        *(_until_refused(town.traffic.http, service, token, began) for service in SERVICES),
    )
    return [found for found in refused if found is not None]


async def _until_refused(http: AsyncClient, service: str, token: str, began: float) -> float:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await _status(http, service, token) != 401:  # noqa: ASYNC110 -- HTTP is asked
            await asyncio.sleep(PAUSE_SECONDS)
    return (time.perf_counter() - began) * 1000


async def _status(http: AsyncClient, service: str, token: str) -> int:
    answer = await http.get(QUESTIONS[service], headers={"Authorization": f"Bearer {token}"})
    return answer.status_code
