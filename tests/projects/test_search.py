"""Projects are found by words in any language, and by nobody who may not see them."""

from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import delete, select, update

from services.projects.model.known import KnownMember
from services.projects.model.project import Project
from services.projects.model.project_words import ProjectWords
from services.projects.queries import projects as queries
from services.projects.use_cases.note_words import note_words
from shared.database import Sessions
from tests.projects.conftest import Cities, announced
from tests.projects.scenes import NOON, Scene, working

TERMS = {"en": "We share what Jakarta measures.", "ja": "観測値を共有する。"}


@pytest.fixture(params=["few", "ahead", "index"], autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """By which way it is found: among the few that one sees, those that come next, or the index."""
    if request.param != "few":
        monkeypatch.setattr(queries, "FEW", -1)
    if request.param == "index":
        monkeypatch.setattr(queries, "AHEAD", 0)
    return str(request.param)


async def found(cities: Cities, member: str, query: str) -> list[str]:
    """References of all that is found, page by page."""
    page = await cities.get(member, f"/projects?{query}")
    rest = page["next"] and await found(cities, member, page["next"].partition("?")[2])
    return [project["reference"] for project in page["items"]] + (rest or [])


async def named(sessions: Sessions) -> None:
    """Give members names in several languages."""
    names = {
        "tokyo": {"en": "Tokyo", "ja": "東京都"},
        "seoul": {"en": "Seoul", "ja": "ソウル特別市", "ko": "서울특별시"},
    }
    async with sessions.begin() as session:
        for member, name in names.items():
            await session.execute(
                update(KnownMember).where(KnownMember.slug == member).values(name=name)
            )


async def stored(sessions: Sessions, reference: str, **texts: Any) -> Scene:
    """A project of the network that Tokyo leads, without others."""
    scene = Scene(visibility="network", reference=reference).propose()
    for name, text in texts.items():
        setattr(scene.project, name, text)
    return await scene.store(sessions)


@pytest.mark.parametrize(
    ("q", "references"),
    [
        ("air", ["air"]),
        ("AIR dust", ["air"]),
        ("ai", ["air"]),
        ("dust-free", []),
        ("きれい", ["air"]),
        ("ｷﾚｲ", []),
        ("空", ["air"]),
        ("空気 dust", ["air"]),
        ("eau", ["water"]),
        ("équité", ["water"]),
        ("EQUITE", ["water"]),
        ("観測値", ["water"]),
        ("cities", ["air", "water"]),
        ("nothing-of-this", []),
    ],
)
async def test_texts_in_all_languages_are_looked_through(
    cities: Cities, sessions: Sessions, q: str, references: list[str]
) -> None:
    await stored(sessions, "air", title={"en": "Clean air", "ja": "きれいな空気"})
    water = {"title": {"fr": "L'Eau et l'Équité"}, "summary": {"en": "Cities at rivers."}}
    await stored(sessions, "water", charter=TERMS, **water)

    assert await found(cities, "delhi", f"q={q}") == references


@pytest.mark.parametrize(
    "q", ["東京", "東京都", "Tōkyō", "Tokyo", "tokyo", "ＴＯＫＹＯ", "tok", "京"]
)
async def test_a_project_led_by_tokyo_is_found_by_every_name_of_it(
    cities: Cities, sessions: Sessions, q: str
) -> None:
    await named(sessions)
    await stored(sessions, "air")

    assert await found(cities, "delhi", f"q={q}") == ["air"]


@pytest.mark.parametrize("q", ["Seoul", "ソウル", "서울", "SEOUL", "서울특별시"])
@pytest.mark.parametrize("text", ["The canals of Seoul.", "서울의 물", "ソウル市の水"])
async def test_a_text_about_seoul_is_found_by_every_name_of_it(
    cities: Cities, sessions: Sessions, q: str, text: str
) -> None:
    await named(sessions)
    await stored(sessions, "water", summary={"und": text})

    assert await found(cities, "delhi", f"q={q}") == ["water"]


async def test_members_invited_and_taking_part_are_looked_for_by_name_and_others_not(
    cities: Cities, sessions: Sessions
) -> None:
    scene = await working("network").store(sessions)

    names = ("tokyo", "seoul", "paris", "berlin", "delhi")
    hits = [bool(await found(cities, "delhi", f"q={name}")) for name in names]

    assert scene.project.lead == "tokyo"
    assert hits == [True, True, True, False, False]


async def test_a_member_is_found_by_a_new_name_at_once(cities: Cities, sessions: Sessions) -> None:
    await working("network").store(sessions)
    async with sessions.begin() as session:
        renamed = update(KnownMember).where(KnownMember.slug == "seoul")
        await session.execute(renamed.values(name={"en": "Hanyang"}))

    assert await found(cities, "delhi", "q=Hanyang") == ["clean-air"]


async def test_what_is_found_keeps_the_order_and_the_pages_of_the_list(
    cities: Cities, sessions: Sessions
) -> None:
    references = [f"air-{number}" for number in range(5)]
    for number, reference in enumerate(references):
        await stored(sessions, reference, objectives=("games",) if number % 2 else ())

    assert await found(cities, "delhi", "q=air&limit=2") == references
    assert await found(cities, "delhi", "q=air&limit=2&sort=-created") == references[::-1]
    assert await found(cities, "delhi", "q=air&limit=2&sort=updated") == references
    assert await found(cities, "delhi", "q=air&objective=games") == ["air-1", "air-3"]
    assert await found(cities, "delhi", "q=air&lead=seoul") == []
    assert await found(cities, "delhi", "q=air-3&limit=1") == ["air-3"]


@pytest.mark.parametrize(
    ("q", "status", "code"),
    [
        ("a", 422, "search-too-short"),
        ("%25", 422, "search-too-short"),
        ("", 422, "invalid-request"),
        ("%20", 422, "invalid-request"),
        ("%00", 422, "invalid-request"),
        ("x" * 201, 422, "invalid-request"),
        ("%EF%B7%BA" * 100, 200, None),
        ("+".join(f"w{number}" for number in range(9)), 422, "search-too-long"),
        ("aa&q=bb", 422, "invalid-request"),
        ("'; DROP TABLE project; --", 200, None),
        ("aa%25_%5C", 200, None),
    ],
)
async def test_odd_questions_are_answered_or_refused(
    cities: Cities, q: str, status: int, code: str | None
) -> None:
    answer = await cities.call("tokyo", "GET", f"/projects?q={q}")

    assert answer.status_code == status, answer.text
    if code is not None:
        assert answer.json()["type"] == f"/problems/{code}"


async def test_words_follow_what_a_project_says_of_itself(
    cities: Cities, sessions: Sessions
) -> None:
    scene = await Scene().store(sessions)
    here = f"/projects/{scene.project.id}"

    await cities.do("tokyo", "PATCH", here, {"title": {"en": "Quiet streets"}})
    await cities.do("tokyo", "PUT", f"{here}/charter", {"text": {"en": "Neighbours first."}})

    assert await found(cities, "tokyo", "q=quiet") == ["clean-air"]
    assert await found(cities, "tokyo", "q=neighbours") == ["clean-air"]
    assert await found(cities, "tokyo", "q=clean+air+2") == []


async def test_a_change_of_no_text_leaves_the_words_alone(
    cities: Cities, sessions: Sessions
) -> None:
    scene = await Scene().store(sessions)

    await cities.do("tokyo", "POST", f"/projects/{scene.project.id}/proposal")

    async with sessions() as session:
        assert await session.scalar(select(ProjectWords.noted_at)) == NOON


async def test_the_worker_notes_what_was_changed_past_this_release(sessions: Sessions) -> None:
    scenes = [await stored(sessions, reference) for reference in ("one", "two", "three")]
    one, two, _ = (scene.project.id for scene in scenes)
    title = {"title": {"en": "Quiet streets"}, "updated_at": NOON.replace(hour=13)}
    async with sessions.begin() as session:
        await session.execute(delete(ProjectWords).where(ProjectWords.project_id == one))
        await session.execute(update(Project).where(Project.id == two).values(title))

    async with sessions.begin() as session:
        assert await note_words(session, NOON) is False

    async with sessions() as session:
        rows = await session.execute(select(ProjectWords.text, ProjectWords.noted_at))
    assert sorted(text.split()[0] for text, _ in rows) == ["one", "three", "two"]
    async with sessions() as session:
        words = await session.get(ProjectWords, two)
    assert words is not None
    assert words.text == "two quiet streets what cities do against dust"


# Strangers learn nothing.

ASKING = [
    "q=dust",
    "q=du",
    "q=clean-air",
    "q=jakarta",
    "q=seoul",
    "q=東京都",
    "q=dust&sort=-updated",
    "member=seoul",
    "lead=tokyo",
    "objective=common-issues",
    "theme=water",
    "status=active",
    "status=draft",
    "waits_for=paris",
    "waits_for=seoul",
    "waits_for=tokyo",
    "updated_since=2026-05-04T12:00:00Z",
    "limit=1",
]


@dataclass
class Hidden:
    draft: Scene
    dropped: Scene
    live: Scene


async def hidden(sessions: Sessions) -> Hidden:
    """Projects that Delhi sees nothing of, in all states, with work that waits."""
    draft = Scene(visibility="network", reference="draft")
    dropped = Scene(visibility="network", reference="dropped")
    dropped.project.cancel("No", by=dropped.as_("tokyo"), at=NOON)
    live = working()
    milestone = live.begin()
    live.ask(milestone, "seoul")
    live.deliver(milestone, live.ask(milestone, "seoul"))
    for scene in (draft, dropped, live):
        scene.project.themes = ("water",)
        scene.project.charter = TERMS
        await scene.store(sessions)
    return Hidden(draft, dropped, live)


@pytest.mark.parametrize("query", ASKING)
async def test_no_question_reveals_a_project_that_one_may_not_see(
    cities: Cities, sessions: Sessions, query: str
) -> None:
    await named(sessions)
    nothing = await cities.call("delhi", "GET", f"/projects?{query}")
    await hidden(sessions)

    answers = {member: await cities.call(member, "GET", f"/projects?{query}") for member in MEMBERS}

    for stranger in ("delhi", "berlin"):
        assert answers[stranger].json() == nothing.json() == {"items": [], "next": None}
        assert "link" not in answers[stranger].headers
    assert answers["tokyo"].json()["items"] != []
    for member in ("seoul", "paris"):
        assert {each["reference"] for each in answers[member].json()["items"]} <= {"clean-air"}


MEMBERS = ("tokyo", "seoul", "paris", "berlin", "delhi")


async def test_pages_skip_what_one_may_not_see_and_cursors_do_not_name_it(
    cities: Cities, sessions: Sessions
) -> None:
    seen = []
    for number in range(6):
        visible = number % 2 == 0
        scene = Scene(
            visibility="network" if visible else "participants", reference=f"air-{number}"
        )
        await scene.propose().store(sessions)
        seen += [f"air-{number}"] if visible else []
    first = await cities.get("delhi", "/projects?q=air&limit=1")
    lead = await cities.get("tokyo", "/projects?q=air&limit=2")

    pages = await found(cities, "delhi", "q=air&limit=1")
    beyond = await cities.get("delhi", lead["next"].removeprefix("/api/v1"))

    assert pages == seen
    assert [each["reference"] for each in first["items"]] == ["air-0"]
    # A cursor made for who sees more leads to what one sees oneself.
    assert [each["reference"] for each in beyond["items"]] == ["air-2", "air-4"]


async def test_who_leaves_finds_it_no_longer(cities: Cities, sessions: Sessions) -> None:
    scene = await working().store(sessions)
    there = f"/participations/{scene.participations['seoul'].id}/withdrawal"
    before = await found(cities, "seoul", "q=dust")

    await cities.do("seoul", "POST", there, {"note": "Other duties."})

    assert before == ["clean-air"]
    assert await found(cities, "seoul", "q=dust") == []
    assert len(await announced(sessions)) == 1


@pytest.mark.parametrize(
    ("query", "references"),
    [
        ("waits_for=paris", ["clean-air"]),
        ("waits_for=seoul", ["clean-air"]),
        ("waits_for=tokyo", ["clean-air"]),
        ("waits_for=berlin", []),
        ("waits_for=delhi", []),
        ("waits_for=atlantis", []),
        ("waits_for=seoul&q=dust", ["clean-air"]),
        ("theme=water", ["clean-air"]),
        ("theme=air", []),
    ],
)
async def test_what_waits_for_whom_can_be_asked(
    cities: Cities, sessions: Sessions, query: str, references: list[str]
) -> None:
    await hidden(sessions)

    assert await found(cities, "seoul", query) == references


async def test_nothing_waits_where_nothing_can_be_done(cities: Cities, sessions: Sessions) -> None:
    done, resting, left, idle = (working("network") for _ in range(4))
    for number, scene in enumerate((done, resting, left, idle)):
        scene.project.reference = f"air-{number}"
        milestone = scene.begin()
        owed = scene.ask(milestone, "seoul")
        if scene is done:
            scene.deliver(milestone, owed)
            milestone.accept(owed, by=scene.as_("tokyo"), at=NOON)
        if scene is idle:
            scene.decline("delhi")
            milestone.contributions.clear()
    resting.project.suspend("Budget", by=resting.as_("tokyo"), at=NOON)
    left.withdraw("seoul")
    for scene in (done, resting, left, idle):
        await scene.store(sessions)

    waiting = {
        member: await found(cities, "delhi", f"waits_for={member}")
        for member in ("tokyo", "seoul", "paris", "delhi")
    }

    assert waiting == {
        "tokyo": [],
        "seoul": [],
        "paris": ["air-0", "air-2", "air-3"],  # invited to all; the suspended one takes no answer
        "delhi": [],
    }
