"""The keys a prompt speaks of, by language, and how long it takes to listen to."""

from datetime import timedelta

import pytest

from ivrd.core.prompt_keys import KEY_WORDS, key_difference, keys_spoken
from ivrd.core.prompt_text import Piece, estimated_length, pieces

SPOKEN = [
    ("sv", "Tryck ett för växeln.", "1"),
    ("sv", "Tryck 1 för växeln.", "1"),
    ("sv", "tryck på knapp 2", "2"),
    ("sv", "Du kan trycka på stjärna eller fyrkant.", "* #"),
    ("sv", "Tryck * för att höra valen igen, # för att gå tillbaka.", "* #"),
    ("sv", "Tryck ett för växeln, två för vatten och avfall, eller vänta kvar.", "1 2"),
    ("sv", "Tryck ett, två eller tre.", "1 2 3"),
    ("sv", "Tryck ett ett två.", "112"),
    ("sv", "Tryck 112 om det brinner.", "112"),
    ("sv", "Tryck knapp fem, sedan väntar du åtta minuter.", "5"),
    ("sv", "Tryck ett två gånger.", "1"),
    ("sv", "Tryck ett och vänta två minuter.", "1"),
    ("sv", "Tryck ett. Två personer är före dig.", "1"),
    ("sv", "För nyheter, välj noll: nollan finns längst ner.", "0"),
    ("sv", "Tryck nian.", "9"),
    ("sv", "Tryck ett av numren.", ""),
    ("sv", "Knappen finns inte.", ""),
    ("sv", "Vid fara för liv, ring ett ett två.", ""),
    ("sv", "Vi öppnar klockan åtta.", ""),
    ("sv", "Två för vatten.", ""),
    ("sv", "", ""),
    ("en", "Press two for water and waste, or press star to hear this again.", "2 *"),
    ("en", "Press the star key or the hash key.", "* #"),
    ("en", "Press one or pound.", "1 #"),
    ("en", "Press 1 for the switchboard, 2 for water, and 3 to go back.", "1 2 3"),
    ("en", "For English, press two.", "2"),
    ("en", "Press one of the keys, or wait two minutes.", ""),
    ("en", "One moment, please.", ""),
    ("fi", "Paina yksi, jos haluat vaihteeseen.", "1"),
    ("fi", "Paina tähteä tai ruutua.", "* #"),
    ("fi", "Paina kakkosta tai näppäile kolme.", "2 3"),
    ("fi", "Suomeksi, paina numeroa 3.", "3"),
    ("fi", "Voit painaa yhdeksän, jos haluat vaihteeseen.", "9"),
    ("fi", "Odota viisi minuuttia.", ""),
    ("so", "Af-Soomaali, riix afar.", "4"),
    ("so", "Riix badhanka kow ama laba.", "1 2"),
    ("so", "Sug shan daqiiqo.", ""),
    ("sv", "Tryck nio för andra språk. [en] For other languages, press nine. [fi] Paina 3.", "9 3"),
    ("de", "Drücken Sie eins.", ""),
]


@pytest.mark.parametrize(("language", "text", "keys"), SPOKEN)
def test_keys_are_heard_where_a_caller_would_hear_them(language: str, text: str, keys: str) -> None:
    assert keys_spoken(text, language) == tuple(keys.split())


@pytest.mark.parametrize("language", KEY_WORDS)
def test_every_language_knows_every_digit_after_every_word_of_pressing(language: str) -> None:
    words = KEY_WORDS[language]
    assert set(words.keys.values()) >= set("0123456789*")
    for press in words.press:
        for word, key in words.keys.items():
            assert keys_spoken(f"{press} {word}", language) == (key,)


@pytest.mark.parametrize("language", KEY_WORDS)
def test_no_word_of_a_language_has_two_meanings(language: str) -> None:
    words = KEY_WORDS[language]
    assert not words.keys.keys() & (words.press | words.fillers | words.links)
    assert not words.no_key_before & words.purposes


def test_a_menu_and_its_prompt_differ_both_ways() -> None:
    difference = key_difference("Tryck ett eller tre, eller fyra.", "sv", {"1", "2", "*"})
    assert (difference.not_there, difference.not_spoken) == (("3", "4"), ("*", "2"))
    agreement = key_difference("Tryck ett eller stjärna.", "sv", ["*", "1"])
    assert (agreement.not_there, agreement.not_spoken) == ((), ())


def test_a_text_is_cut_where_its_language_changes() -> None:
    assert pieces("[sv] För svenska, tryck ett. [en] For English, press two. [fi] ", "") == (
        Piece(language="sv", text="För svenska, tryck ett."),
        Piece(language="en", text="For English, press two."),
    )
    assert pieces("Rum [12] och [EN].", "sv") == (Piece(language="sv", text="Rum [12] och [EN]."),)


@pytest.mark.parametrize(
    ("language", "text", "milliseconds"),
    [
        ("sv", "", 0),
        ("sv", "ord " * 140, 60_000),
        ("en", "word " * 150, 60_000),
        ("fi", "sana " * 95, 60_000),
        ("so", "erey " * 120, 60_000),
        ("sv", "Ett. Två! Tre?", 3 * 429 + 3 * 400),
        ("sv", "klockan 16.30 - på webben", 4 * 429),
        ("sv", "ett ett [en] one", 2 * 429 + 400),
    ],
)
def test_the_length_of_a_text_follows_its_words_and_sentences(
    language: str, text: str, milliseconds: int
) -> None:
    off = estimated_length(text, language) - timedelta(milliseconds=milliseconds)
    assert abs(off) <= timedelta(milliseconds=50)
