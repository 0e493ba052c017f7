"""What the platform refuses, and how it answers twice."""

from typing import Any

from deploy.demo.check.report import Report
from deploy.demo.check.world import World, code_of
from shared.identifiers import new_id


async def check_rules(world: World, report: Report) -> None:
    draft = await _check_draft(world, report)
    await _check_versions(world, report, draft)
    await _check_repetition(world, report)


async def _check_draft(world: World, report: Report) -> dict[str, Any]:
    """Check that nobody but its lead sees a draft; gives the draft."""
    seoul = world["seoul"]
    draft: dict[str, Any] = await seoul.post("/api/v1/projects", _project(), key=str(new_id()))
    path = f"/api/v1/projects/{draft['id']}"
    report.equal("Seoul sees its own draft", (await seoul.get(path))["status"], "draft")
    for member in ("bangkok", "tokyo"):
        answer = await world[member].send("GET", path)
        report.equal(
            f"for {world.story.name_of(member)['en']} the draft does not exist",
            code_of(answer),
            (404, "project-not-found"),
        )
    answer = await world["bangkok"].send(
        "POST", f"{path}/cancellation", json={"reason": "x"}, headers={"If-Match": "*"}
    )
    report.equal(
        "nor can Bangkok tell by acting on it", code_of(answer), (404, "project-not-found")
    )
    return draft


async def _check_versions(world: World, report: Report, draft: dict[str, Any]) -> None:
    seoul, path = world["seoul"], f"/api/v1/projects/{draft['id']}"
    change = {"title": {"en": "Changed", "ko": "변경"}}
    answer = await seoul.send("PATCH", path, json=change)
    report.equal(
        "a change must say which version it means", code_of(answer), (428, "version-required")
    )
    read = (await seoul.send("GET", path)).headers["ETag"]
    changed = await seoul.send("PATCH", path, json=change, headers={"If-Match": read})
    report.equal("a change of the version that was read is taken", changed.status_code, 200)
    answer = await seoul.send("PATCH", path, json={}, headers={"If-Match": read})
    report.equal("an empty change is invalid", answer.status_code, 422)
    answer = await seoul.send(
        "PATCH", path, json={"title": {"en": "Lost"}}, headers={"If-Match": read}
    )
    report.equal("a stale change is refused", code_of(answer), (412, "version-stale"))
    report.equal(
        "and the refusal shows how it is now", answer.json()["current"]["title"], change["title"]
    )
    report.equal("nothing was lost", (await seoul.get(path))["title"], change["title"])
    ended = await seoul.post(
        f"{path}/cancellation", {"reason": "Only a trial."}, key=str(new_id()), version="*"
    )
    report.equal("a draft can be given up", ended["status"], "cancelled")


async def _check_repetition(world: World, report: Report) -> None:
    seoul, key, project = world["seoul"], str(new_id()), _project()
    first, second = [
        await seoul.send("POST", "/api/v1/projects", json=project, headers={"Idempotency-Key": key})
        for _ in range(2)
    ]
    report.equal(
        "the same request with the same key gets the same answer",
        (second.status_code, second.json(), second.headers.get("Idempotency-Replayed")),
        (201, first.json(), "true"),
    )
    answer = await seoul.send(
        "POST", "/api/v1/projects", json=_project(), headers={"Idempotency-Key": key}
    )
    report.equal(
        "another request with that key is refused",
        code_of(answer),
        (422, "idempotency-key-reused"),
    )
    own = await seoul.all_of("/api/v1/projects", lead="seoul")
    report.equal(
        "and there is one project, not two",
        [each["reference"] for each in own].count(project["reference"]),
        1,
    )


def _project() -> dict[str, Any]:
    return {
        "reference": f"trial-{new_id()}",
        "title": {"en": "Trial"},
        "summary": {"en": "Made by the check of the demo."},
    }
