"""When everything is due: schedules, the consent of others, calendars and tables."""

from collections.abc import Iterable
from typing import Any

from icalendar import Calendar

from deploy.demo.check.report import Report
from deploy.demo.check.world import World, code_of
from deploy.demo.story import day
from shared.identifiers import new_id

SCHEDULED = "junior-sports"
LATE = "asian-performing-arts"
CSV = "text/csv"


async def check_plans(world: World, report: Report) -> None:
    await _check_schedules(world, report)
    await _check_consent(world, report)
    await _check_calendar(world, report)
    await _check_tables(world, report)


async def _check_schedules(world: World, report: Report) -> None:
    schedule = await _Schedule.read(world, "ulaanbaatar", SCHEDULED)
    report.equal(
        "Ulaanbaatar reads on which milestones of three cities the end of its project hangs",
        (schedule.that_are("is_critical"), schedule.that_are("is_late")),
        (["travel", "tournament", "school-report"], []),
    )
    schedule = await _Schedule.read(world, "delhi", LATE)
    report.equal(
        "Delhi reads that one milestone is expected after its deadline, and moves another",
        (schedule.that_are("is_late"), schedule.that_are("is_critical")),
        (["rehearsal"], ["rehearsal", "festival-week"]),
    )
    # The 33rd day of Hanoi ends when the 34th has begun in Tokyo; thirty days lie between.
    report.equal(
        "each is reckoned on the clock of the city where it is due",
        [schedule.items[slug]["earliest_on"] for slug in ("rehearsal", "festival-week")],
        [day(world.loaded_on, 33), day(world.loaded_on, 64)],
    )


class _Schedule:
    """The schedule of a project, by slugs of the story."""

    def __init__(self, items: dict[str, dict[str, Any]]) -> None:
        self.items = items

    @classmethod
    async def read(cls, world: World, member: str, project: str) -> "_Schedule":
        slugs = {id_: slug for slug, id_ in (await milestones_of(world, member, project)).items()}
        path = f"/api/v1/projects/{world.demo['projects'][project]}/schedule"
        found = (await world[member].get(path))["items"]
        return cls({slugs[each["milestone_id"]]: each for each in found})

    def that_are(self, name: str) -> list[str]:
        return [slug for slug, item in self.items.items() if item[name]]


async def milestones_of(world: World, member: str, project: str) -> dict[str, str]:
    """Ids of a project's milestones as a member sees them, by their slugs in the story."""
    found = await world[member].all_of(
        f"/api/v1/projects/{world.demo['projects'][project]}/milestones"
    )
    ids = {each["title"]["en"]: each["id"] for each in found}
    return {each.slug: ids[each.title["en"]] for each in world.story.plans[project].milestones}


async def _check_consent(world: World, report: Report) -> None:
    tokyo = world["tokyo"]
    ids = await milestones_of(world, "tokyo", SCHEDULED)
    path = f"/api/v1/milestones/{ids['travel']}"
    before = await tokyo.get(path)
    wanted = {"due_on": day(world.loaded_on, 70), "time_zone": before["time_zone"]}
    touched = [
        *("bangkok", "kuala-lumpur", "manila", "singapore", "taipei", "tomsk", "ulaanbaatar"),
    ]
    answer = await tokyo.send("POST", f"{path}/reschedule", json=wanted, headers={"If-Match": "*"})
    report.equal(
        "Tokyo leads, and cannot move alone what seven cities have promised to be there for",
        (code_of(answer), answer.json().get("affected_members")),
        ((409, "others-are-affected"), touched),
    )
    foreseen = await tokyo.post(
        f"{path}/reschedule?dry_run=true", wanted, key=str(new_id()), version="*"
    )
    report.equal(
        "asked beforehand, the platform names them, and what would have to move as well",
        (foreseen["affected_members"], foreseen["needs_decision"], foreseen["moved"]),
        (
            touched,
            True,
            [{"milestone_id": ids["tournament"], "due_on": day(world.loaded_on, 78)}],
        ),
    )
    report.equal("neither has changed anything", await tokyo.get(path), before)


async def _check_calendar(world: World, report: Report) -> None:
    seoul = world["seoul"]
    feed = await seoul.post(
        "/api/v1/calendar-feeds", {"kind": "member", "language": "ko"}, key=str(new_id())
    )
    answer = await world.http.get(feed["url"])
    report.equal(
        "a calendar program reads Seoul's feed with its address alone",
        (answer.status_code, answer.headers["Content-Type"]),
        (200, "text/calendar; charset=utf-8"),
    )
    events = Calendar.from_ical(answer.text).walk("VEVENT")
    owned: list[str] = []
    for project in world.story.network.joint_projects:
        if "seoul" in world.story.taking_part(project):
            owned += (await milestones_of(world, "seoul", project.slug)).values()
    asked = await seoul.all_of("/api/v1/decisions", member="seoul", status="open")
    report.equal(
        f"it holds the {len(owned)} milestones of Seoul's projects, and {len(asked)} questions",
        sorted(str(event["uid"]).partition("@")[0] for event in events),
        sorted(
            [f"milestone-{each}" for each in owned] + [f"decision-{each['id']}" for each in asked]
        ),
    )
    again = await world.http.get(feed["url"], headers={"If-None-Match": answer.headers["ETag"]})
    report.equal("what has not changed is not sent again", again.status_code, 304)
    await seoul.send("DELETE", f"/api/v1/calendar-feeds/{feed['id']}", headers={"If-Match": "*"})
    gone = await world.http.get(feed["url"])
    report.equal("once Seoul has revoked the feed, nothing is there", gone.status_code, 404)


async def _check_tables(world: World, report: Report) -> None:
    tokyo, project = world["tokyo"], world.demo["projects"]["crisis-management"]
    path = f"/api/v1/projects/{project}"
    exported = await tokyo.send("GET", f"{path}/export", params={"format": "csv"})
    lines = exported.content.decode("utf-8-sig").splitlines()
    plan = world.story.plans["crisis-management"].milestones
    rows = 1 + len(plan) + sum(len(each.contributions) for each in plan)
    report.equal(f"an export of a project has a header and {rows} rows", len(lines), 1 + rows)
    answer = await tokyo.send(
        "POST",
        f"{path}/milestones/import",
        params={"dry_run": "true"},
        content=exported.content,
        headers={"Content-Type": CSV},
    )
    found = answer.json()
    report.equal(
        "sent back as it is, it would change nothing",
        (answer.status_code, _results(found["rows"]), found["problems"]),
        (200, ["skipped"] * (rows - len(plan)) + ["unchanged"] * len(plan), []),
    )
    answer = await world["seoul"].send(
        "POST",
        f"{path}/milestones/import",
        params={"dry_run": "true"},
        content=exported.content,
        headers={"Content-Type": CSV},
    )
    report.equal("only the lead enters a table", code_of(answer), (403, "not-project-lead"))


def _results(rows: Iterable[dict[str, Any]]) -> list[str]:
    return sorted(result for row in rows for result in row["results"])
