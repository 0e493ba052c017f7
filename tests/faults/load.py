"""Cities at work: joint projects from draft to completion, at random and yet repeatable.

Every write carries what makes it safe to repeat, and ends in the journal as accepted, refused or
unknown. Now and then a city does what it may not, sends something twice, or asks again what it
was answered before.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final, TypeVar

from tests.faults.city import ACCEPTED, STALE, City, StoryEnds

PAUSE_SECONDS: Final = 0.08
ODD_SHARE: Final = 0.12
NETWORK_WIDE_SHARE: Final = 0.2
OVERDUE_SHARE: Final = 0.3
TRIES: Final = 6
ZONES: Final = ("Asia/Tokyo", "Europe/Berlin", "America/Sao_Paulo", "UTC")

Json = dict[str, Any]
T = TypeVar("T")


async def side_by_side(works: Iterable[Awaitable[T]]) -> list[T]:
    """Do several things at once and finish all of them, also when one fails.

    Raises:
        StoryEnds: one of them could not be done.
    """
    results = await asyncio.gather(*works, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return [result for result in results if not isinstance(result, BaseException)]


@dataclass
class Load:
    """Work of several cities, limited in time and in number of writes.

    Args:
        cities: who works; at least three.
        seed: decides everything but the order in which the platform answers.
        quiet_hook: an address that takes webhooks and forgets them.
    """

    cities: Sequence[City]
    seed: int
    quiet_hook: str
    random: Random = field(init=False)
    _writes: int = 0
    _writes_max: int = 0
    _ends_at: float = 0

    def __post_init__(self) -> None:
        self.random = Random(self.seed)

    async def run(self, *, seconds: float, stories: int = 6, writes_max: int = 3000) -> None:
        """Tell stories side by side until the time or the number of writes is used up."""
        self._ends_at = time.monotonic() + seconds
        self._writes_max = self._writes + writes_max
        kinds: list[Callable[[Random], Awaitable[None]]] = [
            *[self.joint_project] * (stories - 1),
            self.everyday_business,
        ]
        async with asyncio.TaskGroup() as group:
            for number, kind in enumerate(kinds):
                group.create_task(self._tell(kind, Random(f"{self.seed} {number}")))

    @asynccontextmanager
    async def running(self, *, seconds: float) -> AsyncIterator[None]:
        """Work beside what the context does, to the end."""
        work = asyncio.create_task(self.run(seconds=seconds))
        try:
            yield
        finally:
            await work

    async def _tell(self, kind: Callable[[Random], Awaitable[None]], random: Random) -> None:
        while not self.is_over:
            try:
                await kind(random)
            except StoryEnds:
                await asyncio.sleep(PAUSE_SECONDS)

    @property
    def is_over(self) -> bool:
        return time.monotonic() > self._ends_at or self._writes >= self._writes_max

    async def write(
        self,
        city: City,
        random: Random,
        method: str,
        path: str,
        body: Any = None,
        *,
        if_match: int | None = None,
        expected: Collection[int] = ACCEPTED,
    ) -> Json:
        """Write as one step of a story, with oddities before and after.

        Raises:
            StoryEnds: it was not accepted, or the time is over.
        """
        if self.is_over:
            raise StoryEnds
        await asyncio.sleep(random.uniform(0, PAUSE_SECONDS))
        self._writes += 1
        key = f"load-{self.seed}-{self._writes}" if method == "POST" else None
        if random.random() < ODD_SHARE:
            await self._do_something_odd(city, random, method, path, body, if_match)
        if key is not None and random.random() < ODD_SHARE:
            return await self._write_twice(city, method, path, body, key, if_match, expected)
        answer: Json = await city.write(
            method, path, body, key=key, if_match=if_match, expected=expected
        )
        return answer

    async def _write_twice(
        self,
        city: City,
        method: str,
        path: str,
        body: Any,
        key: str,
        if_match: int | None,
        expected: Collection[int],
    ) -> Json:
        """Send the same request twice in the same moment: one effect, one answer."""
        answers: list[Json] = []

        async def send() -> None:
            answers.append(
                await city.write(method, path, body, key=key, if_match=if_match, expected=expected)
            )

        await side_by_side(self._refused(send()) for _ in range(2))
        if not answers:
            raise StoryEnds
        if answers[0] != answers[-1]:
            city.journal.surprises.append(f"{city.member} {path}: two answers to the key {key}")
        return answers[0]

    async def _do_something_odd(
        self,
        city: City,
        random: Random,
        method: str,
        path: str,
        body: Any,
        if_match: int | None,
    ) -> None:
        """Ask for what must be refused, or again for what was answered; nothing may come of it."""
        stranger = random.choice([other for other in self.cities if other is not city])
        odd = f"odd-{self.seed}-{self._writes}" if method == "POST" else None
        if body is not None and random.random() < 0.3:
            nonsense = {"no_such_field": 1}
            await self._refused(
                city.write(method, path, nonsense, key=odd, if_match=if_match, expected={422})
            )
        elif if_match is not None and random.random() < 0.4:
            await self._refused(
                city.write(method, path, body, key=odd, if_match=999_999, expected={412})
            )
        elif if_match is not None and random.random() < 0.5:
            no = {403, 404}
            await self._refused(
                stranger.write(method, path, body, key=odd, if_match=if_match, expected=no)
            )
        else:
            await self._ask_again(random)

    async def _refused(self, asking: Awaitable[Any]) -> None:
        try:
            await asking
        except StoryEnds:
            return

    async def _ask_again(self, random: Random) -> None:
        """Repeat an old request with its key: the answer is the old one, from any replica."""
        journal = self.cities[0].journal
        machines = {city.client_id: city for city in self.cities}
        with_key = [
            write
            for write in journal.of("accepted")[-200:]
            if write.key is not None and write.client_id in machines
        ]
        if not with_key:
            return
        old = random.choice(with_key)
        city = machines[old.client_id]
        again = replace(old, attempts=[], verdict="unknown", answer=None)
        journal.writes.append(again)
        await self._refused(city.finish(again))
        if again.verdict == "accepted" and (not again.replayed or again.answer != old.answer):
            journal.surprises.append(f"{old.member} {old.path}: another answer to {old.key}")

    async def change(
        self,
        city: City,
        random: Random,
        method: str,
        thing: str,
        step: str = "",
        body: Any = None,
        *,
        only_if: Callable[[Json], bool] = lambda _: True,
    ) -> Json:
        """Change a thing that others may change in the same moment: read, try, read again.

        Raises:
            StoryEnds: it was not accepted, or is no longer as `only_if` asks.
        """
        for _ in range(TRIES):
            current = await city.read(thing)
            if not only_if(current):
                break
            try:
                return await self.write(
                    city,
                    random,
                    method,
                    f"{thing}{step}",
                    body,
                    if_match=current["version"],
                    expected=ACCEPTED | STALE,
                )
            except StoryEnds:
                if self.is_over:
                    break
        raise StoryEnds

    # Stories.

    async def joint_project(self, random: Random) -> None:
        """A project from its draft to its end, with milestones and contributions."""
        lead, *others = random.sample(list(self.cities), k=random.randint(3, len(self.cities)))
        number = random.getrandbits(48)
        project = await self.write(
            lead,
            random,
            "POST",
            "/api/v1/projects",
            {
                "reference": f"project-{number:x}",
                "title": {"en": f"Project {number:x}", "ja": "共同事業"},
                "summary": {"en": "Cities learn from each other."},
                "objectives": ["common-issues"],
                "visibility": (
                    "network" if random.random() < NETWORK_WIDE_SHARE else "participants"
                ),
            },
        )
        here = f"/api/v1/projects/{project['id']}"
        if random.random() < 0.5:
            await self._rivals(lead, random, here, project)
        await self.change(lead, random, "POST", here, "/proposal")
        takers = await self._invitations(lead, others, random, here)
        if not takers:
            reason = {"reason": "Nobody else takes part."}
            await self.change(lead, random, "POST", here, "/cancellation", reason)
            return
        milestones = [
            await self._plan(lead, random.choice([lead, *takers]), random, here)
            for _ in range(random.randint(1, 2))
        ]
        await self.change(lead, random, "POST", here, "/activation")
        if random.random() < 0.3:
            reason = {"reason": "The budget is being voted on."}
            await self.change(lead, random, "POST", here, "/suspension", reason)
            await self.change(lead, random, "POST", here, "/resumption")
        for milestone in milestones:
            await self._achieve(lead, takers, random, milestone)
        await self.change(lead, random, "POST", here, "/completion")

    async def _rivals(self, lead: City, random: Random, here: str, project: Json) -> None:
        """Two clerks change the same version: one of them must be told."""
        before = len(lead.journal.writes)
        await side_by_side(
            self._refused(
                lead.write(
                    "PATCH",
                    here,
                    {"title": {"en": f"Title {random.getrandbits(32):x}"}},
                    if_match=project["version"],
                    expected=ACCEPTED | STALE,
                )
            )
            for _ in range(2)
        )
        self._writes += 2
        mine = [
            write
            for write in lead.journal.writes[before:]
            if write.path == here and write.if_match == project["version"]
        ]
        if sum(write.verdict == "accepted" for write in mine) > 1:
            lead.journal.surprises.append(f"{here}: two changes of one version were accepted")

    async def _invitations(
        self, lead: City, others: list[City], random: Random, here: str
    ) -> list[City]:
        """Invite, let each city answer for itself, and return who takes part."""

        async def invite(city: City) -> City | None:
            observes = random.random() < 0.15
            invitation = await self.write(
                lead,
                random,
                "POST",
                f"{here}/participations",
                {"member": city.member, "role": "observer" if observes else "participant"},
            )
            there = f"/api/v1/participations/{invitation['id']}"
            if random.random() < 0.15:
                note = {"note": "Not this year."}
                await self.change(city, random, "POST", there, "/declination", note)
                return None
            reservation = {"reservation": "Subject to our budget."} if random.random() < 0.3 else {}
            await self.change(city, random, "POST", there, "/acceptance", reservation)
            return None if observes else city

        answers = await side_by_side(map(invite, others))
        return [city for city in answers if city is not None]

    async def _plan(self, lead: City, accountable: City, random: Random, here: str) -> Json:
        days = -2 if random.random() < OVERDUE_SHARE else random.randint(10, 400)
        return await self.write(
            lead,
            random,
            "POST",
            f"{here}/milestones",
            {
                "title": {"en": f"Result {random.getrandbits(32):x}"},
                "description": None,
                "due_on": (datetime.now(UTC).date() + timedelta(days=days)).isoformat(),
                "time_zone": random.choice(ZONES),
                "accountable": accountable.member,
            },
        )

    async def _achieve(
        self, lead: City, takers: list[City], random: Random, milestone: Json
    ) -> None:
        """Ask for contributions, deliver them side by side, sign them off, complete."""
        there = f"/api/v1/milestones/{milestone['id']}"
        [accountable] = [c for c in (lead, *takers) if c.member == milestone["accountable"]]
        helpers = [city for city in takers if city is not accountable]
        helpers = random.sample(helpers, k=random.randint(0, len(helpers)))
        for helper in helpers:
            await self.write(
                lead,
                random,
                "POST",
                f"{there}/contributions",
                {"member": helper.member, "description": "Data of the last five years."},
            )
        await self.change(accountable, random, "POST", there, "/start")
        shown = await accountable.read(there)
        await side_by_side(
            self._contribute(helper, accountable, random, there, contribution["id"])
            for helper in helpers
            for contribution in shown["contributions"]
            if contribution["member"] == helper.member
        )
        await self.change(accountable, random, "POST", there, "/completion")

    async def _contribute(
        self, helper: City, accountable: City, random: Random, there: str, contribution: str
    ) -> None:
        step = f"/contributions/{contribution}"
        evidence = {"evidence": "https://data.example/archive"}
        await self.change(helper, random, "POST", there, f"{step}/delivery", evidence)
        if random.random() < 0.3:
            reason = {"reason": "Two years are missing."}
            await self.change(accountable, random, "POST", there, f"{step}/return", reason)
            await self.change(helper, random, "POST", there, f"{step}/delivery", evidence)
        await self.change(accountable, random, "POST", there, f"{step}/acceptance")

    async def everyday_business(self, random: Random) -> None:
        """A city looks after itself: names, officials, machines, endpoints, its inbox."""
        city = random.choice(list(self.cities))
        await random.choice(
            [
                self._rename,
                self._reword_official,
                self._replace_machine,
                self._change_endpoint,
                self._read_inbox,
            ]
        )(city, random)

    async def _rename(self, city: City, random: Random) -> None:
        name = {"name": {"en": f"{city.member.title()} {random.getrandbits(32):x}"}}
        await self.change(city, random, "PATCH", f"/api/v1/members/{city.member}", body=name)

    async def _reword_official(self, city: City, random: Random) -> None:
        official = f"/api/v1/members/{city.member}/officials/{city.coordinator}"
        function = {"function": {"en": f"Coordinator {random.getrandbits(32):x}"}}
        await self.change(city, random, "PATCH", official, body=function)

    async def _replace_machine(self, city: City, random: Random) -> None:
        clients = f"/api/v1/members/{city.member}/clients"
        body = {"name": f"Desk {random.getrandbits(16):x}", "scopes": ["projects:read"]}
        client = await self.write(city, random, "POST", clients, body)
        there = f"{clients}/{client['id']}"
        await self.write(city, random, "DELETE", there, if_match=client["version"])

    async def _change_endpoint(self, city: City, random: Random) -> None:
        endpoints = "/api/v1/webhook-endpoints"
        body = {"url": self.quiet_hook, "event_types": ["renkei.client.*"]}
        endpoint = await self.write(city, random, "POST", endpoints, body)
        there = f"{endpoints}/{endpoint['id']}"
        paused = await self.write(
            city, random, "PATCH", there, {"status": "paused"}, if_match=endpoint["version"]
        )
        await self.write(city, random, "DELETE", there, if_match=paused["version"])

    async def _read_inbox(self, city: City, random: Random) -> None:
        unread = await city.read("/api/v1/inbox", official=city.coordinator, unread="true", limit=5)
        for item in unread["items"]:
            there = f"/api/v1/inbox/{item['id']}"
            await self.change(
                city,
                random,
                "PATCH",
                there,
                body={"is_read": True},
                only_if=lambda shown: not shown["is_read"],
            )
