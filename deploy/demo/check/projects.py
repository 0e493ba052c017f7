"""The five joint projects, as their participants see them."""

from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from deploy.demo.api import eventually
from deploy.demo.check.expected import asked_by
from deploy.demo.check.report import Report
from deploy.demo.check.world import World, code_of
from deploy.demo.story import Milestone, Project, day

CLOCK_SECONDS: Final = 15.0
"""The platform looks at its clock every few seconds."""

WRITTEN: Final = ("reference", "title", "summary", "objectives", "lead", "status")


async def check_projects(world: World, report: Report) -> None:
    objectives = await world["seoul"].all_of("/api/v1/objectives")
    report.equal(
        "Seoul reads what the network strives for, in the order of the secretariat",
        [(each["slug"], each["title"]) for each in objectives],
        [(each.slug, each.name) for each in world.story.network.objectives],
    )
    for project in world.story.network.joint_projects:
        await _check_project(world, report, project)
    await _check_decisions(world, report)
    await _check_visibility(world, report)


async def _check_project(world: World, report: Report, project: Project) -> None:
    def name(member: str) -> str:
        return world.story.name_of(member)["en"]

    reader = world[project.participants[0]]
    path = f"/api/v1/projects/{world.demo['projects'][project.slug]}"
    found = await reader.get(path)
    report.equal(
        f"{project.title['en']}: {name(reader.member)} reads what {name(project.lead)} wrote",
        {field: found[field] for field in WRITTEN},
        {
            "reference": project.slug,
            "title": project.title,
            "summary": project.summary,
            "objectives": list(project.objectives),
            "lead": project.lead,
            "status": "active",
        },
    )
    participations = await reader.all_of(f"{path}/participations")
    report.equal(
        f"{project.title['en']}: {len(participations)} cities stand as they answered themselves",
        {each["member"]: (each["status"], each["reservation"]) for each in participations},
        {
            each.member: (each.answer or "invited", each.reservation)
            for each in world.story.invited(project)
        },
    )
    plan = world.story.plans[project.slug].milestones
    wanted = {each.title["en"]: _wanted(each, world) for each in plan}
    milestones = await eventually(
        lambda: reader.all_of(f"{path}/milestones"),
        lambda found: {each["title"]["en"]: _found(each) for each in found} == wanted,
        seconds=CLOCK_SECONDS,
    )
    report.equal(
        f"{project.title['en']}: {len(milestones)} milestones are where they should be",
        {each["title"]["en"]: _found(each) for each in milestones},
        wanted,
    )


def _wanted(milestone: Milestone, world: World) -> dict[str, Any]:
    return {
        "due": (day(world.loaded_on, milestone.due_in_days), milestone.time_zone),
        "accountable": milestone.accountable,
        "status": milestone.status,
        "overdue": milestone.status in ("planned", "in_progress") and _is_past(milestone, world),
        "contributions": [
            (
                each.member,
                each.status,
                each.returned_because if each.status == "returned" else None,
                list(each.links),
            )
            for each in milestone.contributions
        ],
    }


def _is_past(milestone: Milestone, world: World) -> bool:
    due_on = world.loaded_on + timedelta(days=milestone.due_in_days)
    return datetime.now(ZoneInfo(milestone.time_zone)).date() > due_on


def _found(milestone: dict[str, Any]) -> dict[str, Any]:
    return {
        "due": (milestone["due_on"], milestone["time_zone"]),
        "accountable": milestone["accountable"],
        "status": milestone["status"],
        "overdue": milestone["is_overdue"],
        "contributions": [
            (each["member"], each["status"], each["reason"], each["links"])
            for each in milestone["contributions"]
        ],
    }


async def _check_decisions(world: World, report: Report) -> None:
    taipei = world["taipei"]
    found = {each["title"]["en"]: each for each in await taipei.all_of("/api/v1/decisions")}
    report.equal(
        f"{len(world.story.questions)} questions are decided as far as the cities have answered",
        {
            each.title["en"]: (found[each.title["en"]]["status"], _asked(found[each.title["en"]]))
            for each in world.story.questions
        },
        {
            each.title["en"]: (each.outcome, asked_by(world.story, each))
            for each in world.story.questions
        },
    )
    carried = found["English as the language of the exercise"]["tally"]
    report.equal(
        "two thirds of twelve cities carried a question although one objected",
        (carried["electorate"], carried["needed"], carried["approve"], carried["object"]),
        (12, 8, 8, 1),
    )
    later = "The rescue exercise three weeks later"
    report.equal(
        "a later exercise asks exactly the cities that promised something for it or after it",
        _asked(found[later]),
        {"manila", "seoul", "singapore", "taipei", "ulaanbaatar"},
    )


def _asked(decision: dict[str, Any]) -> set[str]:
    return {each["member"] for each in decision["electorate"]}


async def _check_visibility(world: World, report: Report) -> None:
    tomsk, projects = world["tomsk"], world.demo["projects"]
    report.equal(
        "Tomsk sees the projects that it takes part in or that all may see, and no others",
        sorted(each["reference"] for each in await tomsk.all_of("/api/v1/projects")),
        ["asian-performing-arts", "junior-sports"],
    )
    answer = await tomsk.send("GET", f"/api/v1/projects/{projects['crisis-management']}")
    report.equal(
        "for Tomsk a project that it has no part in does not exist",
        code_of(answer),
        (404, "project-not-found"),
    )
