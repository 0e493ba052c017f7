"""A whole project through the API, from the draft to its completion."""

from shared.database import Sessions
from tests.projects.conftest import Cities, announced


async def test_cities_complete_a_project_together(cities: Cities, sessions: Sessions) -> None:
    project = await cities.do(
        "tokyo",
        "POST",
        "/projects",
        {"reference": "clean-air", "title": {"en": "Clean air"}, "summary": {"en": "Less dust."}},
    )
    here = f"/projects/{project['id']}"
    await cities.do("tokyo", "POST", f"{here}/proposal")
    invitation = await cities.do("tokyo", "POST", f"{here}/participations", {"member": "seoul"})
    await cities.do(
        "seoul",
        "POST",
        f"/participations/{invitation['id']}/acceptance",
        {"reservation": "No cost"},
    )
    await cities.do("tokyo", "POST", f"{here}/activation")
    milestone = await cities.do(
        "tokyo",
        "POST",
        f"{here}/milestones",
        {
            "title": {"en": "Report"},
            "due_on": "2026-10-25",
            "time_zone": "Europe/Berlin",
            "accountable": "tokyo",
        },
    )
    there = f"/milestones/{milestone['id']}"
    asked = await cities.do(
        "tokyo",
        "POST",
        f"{there}/contributions",
        {"member": "seoul", "description": "Measurements"},
    )
    part = f"{there}/contributions/{asked['contributions'][0]['id']}"
    await cities.do("tokyo", "POST", f"{there}/start")
    await cities.do("seoul", "POST", f"{part}/delivery", {"evidence": "Table 1"})
    await cities.do("tokyo", "POST", f"{part}/return", {"reason": "July is missing."})
    await cities.do("seoul", "POST", f"{part}/delivery", {"evidence": "Table 2"})
    await cities.do("tokyo", "POST", f"{part}/acceptance")
    completed = await cities.do("tokyo", "POST", f"{there}/completion")
    ended = await cities.do("tokyo", "POST", f"{here}/completion")

    assert completed["due_at"] == "2026-10-25T23:00:00Z"
    assert completed["version"] == 8
    assert completed["allowed_actions"] == []
    assert ended["status"] == "completed"
    assert ended["allowed_actions"] == []
    assert [event.type for event in await announced(sessions)] == [
        "renkei.project.drafted.v1",
        "renkei.project.proposed.v1",
        "renkei.participation.invited.v1",
        "renkei.participation.accepted.v1",
        "renkei.project.activated.v1",
        "renkei.milestone.planned.v1",
        "renkei.milestone.contribution_requested.v1",
        "renkei.milestone.started.v1",
        "renkei.milestone.contribution_delivered.v1",
        "renkei.milestone.contribution_returned.v1",
        "renkei.milestone.contribution_delivered.v1",
        "renkei.milestone.contribution_accepted.v1",
        "renkei.milestone.completed.v1",
        "renkei.project.completed.v1",
    ]
