"""On which terms cities take part, who leads them, and who comes and goes."""

from deploy.demo.check.report import Report
from deploy.demo.check.world import World, code_of
from deploy.demo.story import day


async def check_agreements(world: World, report: Report) -> None:
    await _check_charters(world, report)
    await _check_handover(world, report)
    await _check_invitation(world, report)
    await _check_withdrawal(world, report)


async def _check_charters(world: World, report: Report) -> None:
    amended = {
        each.project: each.amends_charter
        for each in world.story.questions
        if each.outcome == "adopted" and each.amends_charter is not None
    }
    taipei = world["taipei"]
    found = {
        slug: (await taipei.get(f"/api/v1/projects/{project}"))
        for slug, project in world.demo["projects"].items()
        if "taipei" in world.story.taking_part(world.story.project(slug))
    }
    report.equal(
        f"Taipei reads the charters of {len(found)} projects as they are in force",
        {slug: (each["charter"], each["charter_version"]) for slug, each in found.items()},
        {
            slug: (amended.get(slug) or world.story.charters[slug], 1 + (slug in amended))
            for slug in found
        },
    )
    [(slug, text)] = amended.items()
    path = f"/api/v1/projects/{world.demo['projects'][slug]}"
    versions = await taipei.all_of(f"{path}/charter-versions")
    report.equal(
        "an adopted decision has amended one of them, and the former version is kept",
        [(each["text"], each["decision_id"] is not None) for each in versions],
        [(world.story.charters[slug], False), (text, True)],
    )
    answer = await world["tokyo"].send(
        "PUT", f"{path}/charter", json={"text": {"en": "x"}}, headers={"If-Match": "*"}
    )
    report.equal(
        "its lead cannot change it alone any more", code_of(answer), (409, "charter-agreed")
    )


async def _check_handover(world: World, report: Report) -> None:
    [offer] = world.story.offers
    project = world.story.project(offer.project)
    path = f"/api/v1/projects/{world.demo['projects'][project.slug]}"
    manila = world["manila"]
    [handover] = await manila.all_of(f"{path}/handovers")
    report.equal(
        f"{project.title['en']}: {offer.candidate} has accepted to lead, and all are being asked",
        (handover["lead"], handover["candidate"], handover["status"]),
        (project.lead, offer.candidate, "accepted"),
    )
    decision = await manila.get(f"/api/v1/decisions/{handover['decision_id']}")
    report.equal(
        "the question is open, and asks everyone who takes part",
        (decision["status"], sorted(each["member"] for each in decision["electorate"])),
        ("open", sorted(world.story.taking_part(project))),
    )
    report.equal(
        "until they have agreed nothing changes hands",
        (await manila.get(path))["lead"],
        project.lead,
    )


async def _check_invitation(world: World, report: Report) -> None:
    [(answer, in_days)] = [
        (each, each.answer_by_in_days)
        for each in world.story.answers.values()
        if each.answer_by_in_days is not None
    ]
    [place] = await world[answer.member].all_of("/api/v1/participations", status="invited")
    report.equal(
        f"{answer.member} has time to answer until the end of a day of its own",
        (place["answer_by_on"], place["time_zone"], place["allowed_actions"]),
        (
            day(world.loaded_on, in_days),
            world.story.cities[answer.member].time_zone,
            ["accept", "decline"],
        ),
    )


async def _check_withdrawal(world: World, report: Report) -> None:
    [(answer, notice)] = [
        (each, each.withdrawal)
        for each in world.story.answers.values()
        if each.withdrawal is not None
    ]
    path = f"/api/v1/projects/{world.demo['projects'][answer.project]}"
    reader = world["hanoi"]
    found = {
        when: [each["member"] for each in await reader.all_of(f"{path}/participations", on=on)]
        for when, on in {
            "before": day(world.loaded_on, notice.in_days - 1),
            "from then on": day(world.loaded_on, notice.in_days),
        }.items()
    }
    report.equal(
        f"{answer.member} will take part until the day before the one that it announced",
        {when: answer.member in members for when, members in found.items()},
        {"before": True, "from then on": False},
    )
    [place] = [
        each
        for each in await world[answer.member].all_of("/api/v1/participations")
        if each["project_id"] == world.demo["projects"][answer.project]
    ]
    report.equal(
        "and can still stay",
        (place["status"], place["allowed_actions"]),
        ("accepted", ["withdraw", "retract"]),
    )
