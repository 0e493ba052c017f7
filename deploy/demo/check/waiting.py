"""What each city finds: what waits for it, what it looks for, and nothing that is not for it."""

from collections import Counter
from typing import Final

from deploy.demo.check.expected import waiting_for
from deploy.demo.check.plans import milestones_of
from deploy.demo.check.report import Report
from deploy.demo.check.world import World, code_of

WAITED_FOR: Final = ("tokyo", "taipei", "ulaanbaatar")
TOKYO: Final = ("Tokyo", "東京", "Tōkyō", "ＴＯＫＹＯ")
"""As cities write it."""
PARTS: Final = (
    *("", "/activity", "/charter-versions", "/comments", "/decisions", "/export", "/handovers"),
    *("/milestones", "/participations", "/schedule"),
)
"""All that a project has to be read."""


async def check_waiting(world: World, report: Report) -> None:
    await _check_obligations(world, report)
    await _check_search(world, report)
    await _check_strangers(world, report)


async def _check_obligations(world: World, report: Report) -> None:
    for member in WAITED_FOR:
        found = await world[member].all_of("/api/v1/obligations")
        wanted = waiting_for(world.story, member)
        report.equal(
            f"{world.story.name_of(member)['en']}: {wanted.total()} things of {len(wanted)} kinds"
            " wait for it",
            Counter(each["kind"] for each in found),
            wanted,
        )
        due = [each["due_at"] for each in found if each["due_at"] is not None]
        report.equal("the nearest deadline comes first", due, sorted(due))
    answer = await world["seoul"].send("GET", "/api/v1/obligations", params={"member": "taipei"})
    report.equal(
        "what waits for Taipei is not for Seoul to read",
        code_of(answer),
        (403, "not-your-obligations"),
    )


async def _check_search(world: World, report: Report) -> None:
    seen = sorted(
        project.slug
        for project in world.story.network.joint_projects
        if "seoul" in world.story.taking_part(project)
    )
    for sought in TOKYO:
        found = await world["seoul"].all_of("/api/v1/projects", q=sought)
        report.equal(
            f"Seoul looks for {sought} and finds the {len(seen)} projects with Tokyo that it sees",
            sorted(each["reference"] for each in found),
            seen,
        )
    found = await world["tomsk"].all_of("/api/v1/projects", q="危機管理")
    report.equal("Tomsk finds nothing of what it may not see", found, [])


async def _check_strangers(world: World, report: Report) -> None:
    """Look at a project with the eyes of a city that has no part in it."""
    tomsk, slug = world["tomsk"], "crisis-management"
    path = f"/api/v1/projects/{world.demo['projects'][slug]}"
    answers = {part: code_of(await tomsk.send("GET", f"{path}{part}")) for part in PARTS}
    report.equal(
        f"for Tomsk {len(PARTS)} parts of a project of others do not exist",
        answers,
        dict.fromkeys(PARTS, (404, "project-not-found")),
    )
    [comment, *_] = await world["seoul"].all_of(f"{path}/activity", kind="comment")
    [decision, *_] = await world["seoul"].all_of(f"{path}/decisions")
    [place, *_] = await world["seoul"].all_of(f"{path}/participations")
    milestone = next(iter((await milestones_of(world, "seoul", slug)).values()))
    things = {
        f"/api/v1/comments/{comment['subject']['id']}": "comment-not-found",
        f"/api/v1/decisions/{decision['id']}": "decision-not-found",
        f"/api/v1/milestones/{milestone}": "milestone-not-found",
        f"/api/v1/participations/{place['id']}/duties": "participation-not-found",
    }
    report.equal(
        "nor does anything in it, whoever told Tomsk its address",
        {thing: code_of(await tomsk.send("GET", thing)) for thing in things},
        {thing: (404, code) for thing, code in things.items()},
    )
    answer = await world.http.get(f"{path}/activity")
    report.equal("who shows no token reads nothing at all", answer.status_code, 401)
