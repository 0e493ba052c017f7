"""A project of its own, from its draft to its completion, in a few seconds."""

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from deploy.demo.api import eventually
from deploy.demo.check.report import Report
from deploy.demo.check.world import World, code_of
from shared.identifiers import new_id

NEWS_SECONDS: Final = 10.0
"""News reach inboxes and other systems within a second, on a machine with nothing else to do."""


@dataclass
class Journey:
    """What was done, and so what must have been told.

    Attributes:
        things: ids of the project and of everything in it.
        told: types of the events, in order: exactly one for each accepted write.
    """

    things: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)


async def check_journey(world: World, report: Report) -> Journey:
    journey = Journey()
    lead = world["seoul"]
    project = await lead.post(
        "/api/v1/projects",
        {
            "reference": f"river-{new_id()}",
            "title": {"en": "Clean rivers", "ko": "맑은 강", "ja": "清らかな川"},
            "summary": {"en": "Seoul and Bangkok compare how they clean their rivers."},
            "objectives": ["common-issues"],
        },
        key=str(new_id()),
    )
    journey.things.append(project["id"])
    journey.told.append("project.drafted")
    path = f"/api/v1/projects/{project['id']}"
    project = await lead.post(f"{path}/proposal", key=str(new_id()), version=project["version"])
    journey.told.append("project.proposed")
    people = {member: await world.officials(member) for member in ("seoul", "bangkok", "hanoi")}
    await _invite(world, report, journey, path, people)
    project = await lead.post(f"{path}/activation", key=str(new_id()), version=project["version"])
    journey.told.append("project.activated")
    await _work(world, report, journey, path, people)
    project = await lead.post(f"{path}/completion", key=str(new_id()), version=project["version"])
    journey.told.append("project.completed")
    report.equal("the project is completed", project["status"], "completed")
    report.equal("nothing in it can change any more", project["allowed_actions"], [])
    await _check_others_inboxes(world, report, journey, people)
    await _check_webhooks(world, report, journey)
    return journey


People = Mapping[str, Mapping[str, str]]


async def _invite(
    world: World, report: Report, journey: Journey, path: str, people: People
) -> None:
    participations = {}
    for member in ("bangkok", "singapore"):
        participations[member] = await world["seoul"].post(
            f"{path}/participations", {"member": member}, key=str(new_id())
        )
        journey.things.append(participations[member]["id"])
        journey.told.append("participation.invited")
    await _expect_in_inbox(
        world,
        report,
        journey,
        "bangkok",
        people["bangkok"]["coordinator"],
        {"participation": "invited"},
        "Bangkok's coordinator learns of the invitation",
    )
    answer = f"/api/v1/participations/{participations['bangkok']['id']}/acceptance"
    for member, refusal in {
        "seoul": (403, "not-your-invitation"),
        "singapore": (403, "not-your-invitation"),
        "tokyo": (404, "participation-not-found"),
    }.items():
        refused = await world[member].send(
            "POST", answer, json={}, headers={"If-Match": "*", "Idempotency-Key": str(new_id())}
        )
        report.equal(
            f"{world.story.name_of(member)['en']} cannot accept for Bangkok",
            code_of(refused),
            refusal,
        )
    for member in participations:
        deed = "acceptance" if member == "bangkok" else "declination"
        done = await world[member].post(
            f"/api/v1/participations/{participations[member]['id']}/{deed}",
            {"note": "With pleasure." if member == "bangkok" else "Not this year."},
            key=str(new_id()),
            version=participations[member]["version"],
        )
        journey.told.append(f"participation.{done['status']}")
    await _expect_in_inbox(
        world,
        report,
        journey,
        "seoul",
        people["seoul"]["coordinator"],
        {"participation": "answered"},
        "Seoul's coordinator learns of the answer",
    )


async def _work(world: World, report: Report, journey: Journey, path: str, people: People) -> None:
    """Plan a milestone, and let a contribution be returned before it is accepted."""
    seoul, bangkok = world["seoul"], world["bangkok"]
    milestone = await seoul.post(
        f"{path}/milestones",
        {
            "title": {"en": "Water quality of two rivers, compared"},
            "due_on": (datetime.now(UTC) + timedelta(days=30)).date().isoformat(),
            "time_zone": "Asia/Bangkok",
            "accountable": "seoul",
        },
        key=str(new_id()),
    )
    journey.things.append(milestone["id"])
    journey.told.append("milestone.planned")
    path = f"/api/v1/milestones/{milestone['id']}"

    async def do(by: Any, deed: str, told: str, body: Any = None) -> dict[str, Any]:
        done: dict[str, Any] = await by.post(
            f"{path}/{deed}", body, key=str(new_id()), version=milestone["version"]
        )
        journey.told.append(f"milestone.{told}")
        return done

    milestone = await do(seoul, "start", "started")
    milestone = await do(
        seoul,
        "contributions",
        "contribution_requested",
        {"member": "bangkok", "description": "Measurements of the Chao Phraya"},
    )
    await _expect_in_inbox(
        world,
        report,
        journey,
        "bangkok",
        people["bangkok"]["contributor"],
        {"milestone": "contribution_due"},
        "Bangkok's contributor learns what is asked for",
    )
    contribution = f"contributions/{milestone['contributions'][0]['id']}"
    early = await seoul.send("POST", f"{path}/completion", headers={"If-Match": "*"})
    report.equal(
        "the milestone cannot be completed before the contribution is accepted",
        code_of(early),
        (409, "contributions-open"),
    )
    evidence = {"evidence": "https://documents.bangkok.example/rivers"}
    milestone = await do(bangkok, f"{contribution}/delivery", "contribution_delivered", evidence)
    await _expect_in_inbox(
        world,
        report,
        journey,
        "seoul",
        people["seoul"]["coordinator"],
        {"participation": "answered", "milestone": "contribution_to_accept"},
        "Seoul's coordinator learns that it is there",
    )
    own = await bangkok.send("POST", f"{path}/{contribution}/acceptance", headers={"If-Match": "*"})
    report.equal(
        "Bangkok cannot accept what it delivered itself", code_of(own), (403, "not-accountable")
    )
    milestone = await do(
        seoul,
        f"{contribution}/return",
        "contribution_returned",
        {"reason": "The values of March are missing."},
    )
    await _expect_in_inbox(
        world,
        report,
        journey,
        "bangkok",
        people["bangkok"]["contributor"],
        {"milestone": "contribution_returned"},
        "Bangkok's contributor learns that it came back",
    )
    milestone = await do(bangkok, f"{contribution}/delivery", "contribution_delivered", evidence)
    milestone = await do(seoul, f"{contribution}/acceptance", "contribution_accepted")
    milestone = await do(seoul, "completion", "completed")
    report.equal(
        "the milestone is completed with its contribution",
        (milestone["status"], milestone["contributions"][0]["status"]),
        ("completed", "accepted"),
    )


async def _expect_in_inbox(
    world: World,
    report: Report,
    journey: Journey,
    member: str,
    official: str,
    wanted: dict[str, str],
    promise: str,
) -> None:
    found = await eventually(
        lambda: world.inbox(member, official, journey.things[0]),
        lambda found: found.items() >= wanted.items(),
        seconds=NEWS_SECONDS,
    )
    report.that(promise, found.items() >= wanted.items(), found)


async def _check_others_inboxes(
    world: World, report: Report, journey: Journey, people: People
) -> None:
    for member, role in (
        ("bangkok", "administrator"),
        ("seoul", "administrator"),
        ("hanoi", "coordinator"),
        ("hanoi", "contributor"),
    ):
        found = await world.inbox(member, people[member][role], journey.things[0])
        report.equal(
            f"the {role} of {world.story.name_of(member)['en']} is not bothered with it", found, {}
        )


async def _check_webhooks(world: World, report: Report, journey: Journey) -> None:
    def about(arrived: Collection[dict[str, Any]]) -> list[str]:
        return sorted(_kind(each) for each in arrived if each["subject"] in journey.things)

    async def at(hook: str) -> list[str]:
        return about(await world.arrivals(hook))

    complete: Callable[[list[str]], bool] = lambda found: len(found) >= len(journey.told)  # noqa: E731
    found = await eventually(lambda: at("seoul"), complete, seconds=NEWS_SECONDS)
    report.equal("Seoul's system received every fact, signed, once", found, sorted(journey.told))
    singapore, tomsk = await asyncio.gather(at("singapore"), at("tomsk"))
    report.that(
        "Singapore's system received them until Singapore declined",
        "participation.declined" in singapore and "milestone.planned" not in singapore,
        singapore,
    )
    report.equal("Tomsk's system received none of them", tomsk, [])


def _kind(event: dict[str, Any]) -> str:
    """`milestone.completed`."""
    return str(event["type"]).removeprefix("renkei.").rpartition(".")[0]
