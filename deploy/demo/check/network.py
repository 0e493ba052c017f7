"""Who belongs to the network, today and in the past."""

from deploy.demo.check.report import Report
from deploy.demo.check.world import World, code_of


async def check_network(world: World, report: Report) -> None:
    seoul = world["seoul"]
    members = {each["slug"]: each for each in await seoul.all_of("/api/v1/members")}
    story = world.story
    report.equal(
        "Seoul reads every member, with its names",
        {slug: member["name"] for slug, member in members.items()},
        {story.host.slug: story.host.name}
        | {slug: city.name for slug, city in story.cities.items()},
    )
    report.equal(
        "those who belong to the network of today are active, the sister cities are invited",
        {
            status: sorted(slug for slug, each in members.items() if each["status"] == status)
            for status in ("active", "invited", "withdrawn")
        },
        {
            "active": sorted([story.host.slug, *story.active]),
            "invited": sorted(story.cities.keys() - story.belonging.keys()),
            "withdrawn": ["beijing"],
        },
    )
    for day, count in {
        "2001-09-30": 0,
        "2002-01-01": 12,
        "2005-08-29": 12,
        "2005-09-01": 11,
        "2012-06-30": 13,
    }.items():
        found = await seoul.all_of("/api/v1/members", on=day)
        report.equal(f"on {day} the network had {count} members", len(found), count)
    history = await seoul.all_of("/api/v1/members/beijing/membership-transitions")
    report.equal(
        "Beijing's history is kept",
        [(step["status"], step["effective_on"]) for step in history],
        [("invited", "2001-10-01"), ("active", "2001-10-01"), ("withdrawn", "2005-08-30")],
    )
    officials = await world.officials("tomsk")
    report.equal(
        "Tomsk has an administrator, a coordinator and a contributor",
        sorted(officials),
        ["administrator", "contributor", "coordinator"],
    )
    beijing = world["beijing"]
    answer = await world.http.post(
        "/oauth/token",
        data={"grant_type": "client_credentials"},
        auth=(beijing.client_id, world.demo["members"]["beijing"]["client_secret"]),
    )
    report.equal("a city that has left gets no token", answer.status_code, 401)
    answer = await world["paris"].send(
        "POST",
        "/api/v1/projects",
        json={"reference": "too-early", "title": {"en": "x"}, "summary": {"en": "x"}},
    )
    report.equal(
        "a city that has not accepted yet can begin nothing",
        code_of(answer),
        (403, "member-not-active"),
    )
    answer = await world.http.get("/api/v1/members")
    report.equal("a stranger is told to bring a token", answer.status_code, 401)
