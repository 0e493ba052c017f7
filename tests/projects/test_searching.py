"""How words are understood: rules, without a database."""

import time

import pytest

from services.projects.model.project_words import ProjectWords
from services.projects.model.searching import (
    FOLDED_MAX,
    GRAMS_ASKED_MAX,
    SearchTooLong,
    SearchTooShort,
    Term,
    folded,
    grams_of,
    grams_to_ask,
    understood,
)
from tests.projects.scenes import NOON, Scene

NAMES = {
    "tokyo": {"en": "Tokyo", "ja": "東京都"},
    "seoul": {"en": "Seoul", "ja": "ソウル特別市", "ko": "서울특별시"},
    "kuala-lumpur": {"en": "Kuala Lumpur", "ja": "クアラルンプール"},
    "delhi": {"en": "Delhi", "ja": "デリー"},
    "la": {"en": "LA"},
}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Tōkyō", "tokyo"),
        ("ＴＯＫＹＯ", "tokyo"),
        ("TOKYO", "tokyo"),
        ("To\u00adkyo", "tokyo"),
        ("葛\U000e0100城", "葛城"),
        ("Tokyo\u200b", "tokyo"),
        ("Ｔｏ\u0304ｋｙｏ\u0304", "tokyo"),
        ("ﾄｳｷｮｳ", "トウキョウ"),
        ("か\u3099", "が"),
        ("が", "が"),
        ("ガス", "ガス"),
        ("カス", "カス"),
        ("㍿", "株式会社"),
        ("Straße", "strasse"),
        ("Łódź, Ærøskøbing", "lodz aeroskobing"),
        ("İstanbul ISTANBUL ıstanbul", "istanbul istanbul istanbul"),
        ("Київ", "киів"),
        ("नई दिल्ली", "नई दिल्ली"),
        ("서울특별시", "서울특별시"),
        ("กรุงเทพมหานคร", "กรุงเทพมหานคร"),
        ("clean-air_2 (draft)", "clean air 2 draft"),
        ("100%, a\\b", "100 a b"),
        ("「東京」・水", "東京 水"),
        ("🏙 — !", ""),
    ],
)
def test_writings_of_one_word_are_one(text: str, words: str) -> None:
    assert folded(text) == words
    assert folded(words) == words


@pytest.mark.parametrize(
    ("text", "grams"),
    [
        ("air", {"ai", "ir", "air"}),
        ("ai", {"ai"}),
        ("a", set()),
        ("東京都", {"東", "京", "都", "東京", "京都"}),
        ("水", {"水"}),
        ("大会2020", {"大", "会", "大会", "会2", "20", "02", "202", "020"}),
        ("서울", {"서", "울", "서울"}),
    ],
)
def test_the_index_knows_short_pieces(text: str, grams: set[str]) -> None:
    assert grams_of(text) == grams


@pytest.mark.parametrize(
    ("text", "grams"),
    [
        ("clean air", ["cle", "lea", "ean", "air"]),
        ("ai", ["ai"]),
        ("a", []),
        ("東京", ["東京"]),
        ("京", ["京"]),
        ("会2020", ["会2", "202", "020"]),
    ],
)
def test_the_longest_pieces_are_asked_for(text: str, grams: list[str]) -> None:
    assert grams_to_ask(text) == grams


@pytest.mark.parametrize("word", ["air", "ai", "東京", "京", "会2020", "大会2020x", "संगठन", "서울"])
def test_whatever_contains_a_word_has_its_grams(word: str) -> None:
    for text in (word, f"x{word}y", f"水{word}東", f"a {word}9"):
        assert set(grams_to_ask(word)) <= grams_of(text)


def test_of_a_long_word_a_few_pieces_are_asked_for() -> None:
    asked = grams_to_ask("".join(chr(0x4E00 + place) for place in range(200)))

    assert len(asked) == GRAMS_ASKED_MAX


@pytest.mark.parametrize(
    ("question", "terms"),
    [
        ("clean  AIR", [Term(("clean",), ()), Term(("air",), ())]),
        ("air air", [Term(("air",), ())]),
        ("a air", [Term(("air",), ()), Term(("a",), ("kuala-lumpur", "la"))]),
        ("Tōkyō", [Term(("tokyo", "東京", "東京都"), ("tokyo",))]),
        ("東京", [Term(("東京", "tokyo", "東京都"), ("tokyo",))]),
        ("toky", [Term(("toky",), ("tokyo",))]),
        (
            "water クアラルンプール",
            [
                Term(("クアラルンプール", "kuala lumpur"), ("kuala-lumpur",)),
                Term(("water",), ()),
            ],
        ),
        (
            "Kuala Lumpur water",
            [
                Term(("kuala lumpur", "クアラルンプール"), ("kuala-lumpur",)),
                Term(("water",), ()),
            ],
        ),
        ("kuala", [Term(("kuala",), ("kuala-lumpur",))]),
        ("LA", [Term(("la",), ("kuala-lumpur", "la"))]),
        ("서울", [Term(("서울", "seoul", "ソウル", "ソウル特別市", "서울특별시"), ("seoul",))]),
    ],
)
def test_a_question_is_understood(question: str, terms: list[Term]) -> None:
    assert understood(question, NAMES) == terms


@pytest.mark.parametrize("question", ["a", "1", "a b", "%", "🏙", "--", "\u0301"])
def test_too_little_is_refused(question: str) -> None:
    with pytest.raises(SearchTooShort):
        understood(question, NAMES)


def test_too_many_words_are_refused() -> None:
    assert len(understood("aa bb cc dd ee ff gg hh", NAMES)) == 8
    with pytest.raises(SearchTooLong):
        understood("aa bb cc dd ee ff gg hh ii", NAMES)


def test_a_project_is_found_by_its_own_texts() -> None:
    scene = Scene(reference="clean-air-2026")
    scene.project.title = {"en": "Clean air", "ja": "きれいな空気"}
    scene.project.write_charter({"fr": "Équité"}, by=scene.as_("tokyo"), at=NOON)

    words = ProjectWords.of(scene.project)

    assert words.text == (
        "clean air 2026 clean air きれいな空気 what cities do against dust equite"
    )
    assert {"cle", "空気", "equ"} <= set(words.grams)
    assert words.noted_at == NOON


def test_the_longest_texts_are_folded_in_time() -> None:
    scene = Scene()
    scene.project.summary = {"ar": "\ufdfa" * 20_000}  # each becomes eighteen characters
    scene.project.charter = {"zh": "".join(chr(0x4E00 + place) for place in range(20_000))}
    began = time.process_time()

    words = ProjectWords.of(scene.project)

    assert len(words.text) == FOLDED_MAX
    assert time.process_time() - began < 2


def test_a_hostile_question_is_understood_in_time() -> None:
    names = {
        f"city-{number}": dict.fromkeys(("en", "ja", "ko"), f"City {number}")
        for number in range(500)
    }
    understood("city 1", names)  # what the names are folded to is kept
    began = time.process_time()

    understood("\ufdfa" * 66 + " xx" * 3, names)

    assert time.process_time() - began < 1
