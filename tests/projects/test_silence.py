"""The silence procedure over a weekend and holidays, with cities around the world."""

from datetime import UTC, date, datetime, timedelta
from typing import Final

import pytest

from deploy.demo.story import Story
from services.projects.model.decision import ClosesTooSoon, Decision, DecisionClosed, Question
from services.projects.model.known import KnownMember
from services.projects.model.standing import Place, Standing
from services.projects.model.working_days import working_days_left
from tests.projects.scenes import SCOPES, Scene, actor

THURSDAY: Final = datetime(2026, 4, 30, 3, 0, tzinfo=UTC)  # noon in Tokyo, before Golden Week
CITIES: Final = Story().cities
ZONES: Final = sorted({city.time_zone for city in CITIES.values()})


def one_of_each_zone() -> dict[str, KnownMember]:
    """A real city of each time zone that the network knows."""
    chosen = {city.time_zone: city for city in CITIES.values()}
    return {
        city.slug: KnownMember(
            slug=city.slug,
            version=1,
            name=city.name,
            status="active",
            time_zone=city.time_zone,
            country=city.country,
            subdivision=city.facts().get("subdivision"),
            is_host=False,
        )
        for city in chosen.values()
    }


def asked(closes_on: date, *, at: datetime = THURSDAY) -> tuple[Decision, dict[str, KnownMember]]:
    """Tokyo asks a city of each zone until the end of a day in Tokyo."""
    scene, cities = Scene().propose(), one_of_each_zone()
    question = Question(
        {"en": "Open rehearsals?"}, {"en": "Yes?"}, "silence", closes_on, "Asia/Tokyo"
    )
    decision = Decision.open(
        scene.project,
        question,
        electorate={*cities, "tokyo"},
        working_days={
            slug: working_days_left(
                at, question.closes_at, city.time_zone, city.country, city.subdivision
            )
            for slug, city in cities.items()
        },
        proposer="tokyo",
        at=at,
    )
    return decision, cities


def speaking_for(member: str, cities: dict[str, KnownMember]) -> Standing:
    places = {slug: Place("participant", "accepted") for slug in cities}
    return Standing(actor(member, SCOPES), "active", cities[member].time_zone, places)


def test_the_cities_live_in_more_than_a_dozen_zones() -> None:
    assert len(ZONES) == 23


@pytest.mark.parametrize(
    ("closes_on", "too_soon_for"),
    [
        # Labour Day and a weekend lie between, in most of the world.
        (date(2026, 5, 3), 23),
        (date(2026, 5, 4), 19),
        # Holidays go on: Coronation Day in Bangkok, Children's Day in Seoul, ...
        (date(2026, 5, 5), ["bangkok", "beijing", "hanoi", "seoul", "yangon"]),
        (date(2026, 5, 6), ["beijing"]),
    ],
)
def test_silence_lasts_until_each_city_has_had_three_working_days(
    closes_on: date, too_soon_for: int | list[str]
) -> None:
    with pytest.raises(ClosesTooSoon) as refused:
        asked(closes_on)

    hurried = refused.value.members["members"]
    assert too_soon_for == (len(hurried) if isinstance(too_soon_for, int) else hurried)


def test_a_week_with_a_weekend_and_holidays_is_enough_for_all() -> None:
    decision, cities = asked(date(2026, 5, 7))

    assert decision.tally.silent == len(cities) + 1 == 24


def test_all_are_silent_until_the_same_instant_wherever_they_are() -> None:
    decision, cities = asked(date(2026, 5, 15))
    last_moment = decision.closes_at - timedelta(seconds=1)

    assert decision.closes_at == datetime(2026, 5, 15, 15, 0, tzinfo=UTC)
    for slug in cities:
        by = speaking_for(slug, cities)
        assert "take_position" in decision.allowed_actions(by, last_moment)
        with pytest.raises(DecisionClosed):
            decision.take_position("object", None, by=by, at=decision.closes_at)
    assert decision.verdict(last_moment) is None
    assert decision.verdict(decision.closes_at) == "adopted"


@pytest.mark.parametrize("zone", ZONES)
def test_one_objection_in_the_last_second_breaks_it_from_any_zone(zone: str) -> None:
    decision, cities = asked(date(2026, 5, 15))
    [slug] = [slug for slug, city in cities.items() if city.time_zone == zone]
    last_moment = decision.closes_at - timedelta(seconds=1)

    decision.take_position("object", "Not here.", by=speaking_for(slug, cities), at=last_moment)

    assert decision.verdict(last_moment) == "rejected"
