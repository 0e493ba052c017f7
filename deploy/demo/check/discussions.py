"""What cities say to each other, and what a project's history says of it and of all the rest."""

from collections import Counter
from typing import Any

from deploy.demo.api import eventually
from deploy.demo.check.expected import facts_of, remarks_in
from deploy.demo.check.news import NEWS_SECONDS, happened
from deploy.demo.check.report import Report
from deploy.demo.check.world import World
from deploy.demo.story import Project


async def check_discussions(world: World, report: Report) -> None:
    for project in world.story.network.joint_projects:
        await _check_history(world, report, project)
    await _check_words(world, report)
    await _check_mentions(world, report)


async def _check_history(world: World, report: Report, project: Project) -> None:
    wanted = facts_of(world.story, project)
    path = f"/api/v1/projects/{world.demo['projects'][project.slug]}/activity"
    lead = world[project.lead]
    lines = await eventually(
        lambda: lead.all_of(path),
        lambda lines: _facts_in(lines) == wanted,
        seconds=NEWS_SECONDS,
    )
    report.equal(
        f"{project.title['en']}: its history has a line for each of {wanted.total()} facts"
        f" of {len(wanted)} kinds",
        _facts_in(lines),
        wanted,
    )
    reader = world[project.participants[-1]]
    report.equal(
        f"{project.title['en']}: {reader.member} reads how it came about, but not the draft",
        wanted - _facts_in(await reader.all_of(path)),
        Counter(["project.drafted"]),
    )


def _facts_in(lines: list[dict[str, Any]]) -> Counter[str]:
    """Count what somebody did; the clock does more as time goes on."""
    return Counter(happened(line) for line in lines if line["actor"] is not None)


async def _check_words(world: World, report: Report) -> None:
    """Read all that was said as a city that takes part everywhere."""
    story = world.story
    said = [
        (line["member"], _sorted(line["text"]))
        for project in world.demo["projects"]
        for line in await _posted(world, project)
    ]
    report.equal(
        f"{len(said)} remarks in many languages say what their cities made of them",
        sorted(said),
        sorted(
            (remark.member, _sorted(remark.says))
            for project in story.network.joint_projects
            for remark in remarks_in(story, project)
        ),
    )
    await _check_edited(world, report)


async def _check_edited(world: World, report: Report) -> None:
    [(project, discussion, edited)] = [
        (each.project, each, reply)
        for each in world.story.discussions
        for reply in each.replies
        if reply.edited_to is not None
    ]
    reader = world["taipei"]
    posted = await _comments_of(world, project)
    [comment] = [each for each in posted if each["text"] == edited.says]
    [first] = [each for each in posted if each["text"] == discussion.says]
    report.equal(
        f"{edited.member} replied to {discussion.member}, and its reply shows as edited",
        (comment["in_reply_to"], comment["edited_at"] is not None),
        (first["id"], True),
    )
    versions = await reader.all_of(f"/api/v1/comments/{comment['id']}/versions")
    report.equal("its former words can be read", [each["text"] for each in versions], [edited.text])
    [(project, removed)] = [
        (each.project, reply)
        for each in world.story.discussions
        for reply in each.replies
        if reply.removed_because is not None
    ]
    [comment] = [each for each in await _comments_of(world, project) if each["text"] is None]
    versions = await reader.all_of(f"/api/v1/comments/{comment['id']}/versions")
    report.equal(
        "of a removed remark who and why are left, and no words",
        (comment["member"], comment["removed_reason"], comment["allowed_actions"], versions),
        (removed.member, removed.removed_because, [], []),
    )


async def _comments_of(world: World, project: str) -> list[dict[str, Any]]:
    posted = await _posted(world, project)
    return [
        await world["taipei"].get(f"/api/v1/comments/{line['subject']['id']}") for line in posted
    ]


async def _posted(world: World, project: str) -> list[dict[str, Any]]:
    """Lines of all remarks in a project, whatever they are about."""
    path = f"/api/v1/projects/{world.demo['projects'][project]}/activity"
    return await world["taipei"].all_of(path, type="renkei.comment.posted.v1", sort="at")


async def _check_mentions(world: World, report: Report) -> None:
    [remark] = [
        each
        for discussion in world.story.discussions
        for each in discussion.replies
        if each.mentions and each.edited_to is None and each.removed_because is None
    ]
    [member] = remark.mentions
    official = (await world.officials(member))["coordinator"]

    async def reasons() -> set[str]:
        items = await world[member].all_of("/api/v1/inbox", official=official)
        return {each["reason"] for each in items if each["subject_kind"] == "comment"}

    found = await eventually(reasons, lambda found: "mentioned" in found, seconds=NEWS_SECONDS)
    report.that(
        f"the coordinator of {member} is told that {remark.member} speaks to it",
        "mentioned" in found,
        found,
    )


def _sorted(text: dict[str, str] | None) -> list[tuple[str, str]]:
    return sorted((text or {}).items())
