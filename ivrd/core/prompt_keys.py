"""Which telephone keys a prompt's text speaks of, so that it can be compared with its menu.

Here: words to keys, by language. Not here: the menus, and what a caller does with a key.

A key is spoken of when

1. it follows a word of pressing ("tryck", "knapp", "press", "paina", "riix"), perhaps with a filler
   between ("tryck på knapp ett", "press the star key");
2. or it goes on from such a key in the same sentence: "tryck ett eller två", "tryck ett, två eller
   tre", "tryck ett för växeln, två för vatten och avfall".

Keys are 0 to 9 in words or figures, star and hash by their names or signs. Those that follow each
other without a comma or a conjunction are one longer key: "tryck ett ett två" is 112. Numbers
elsewhere are none: "vänta två minuter", "ring 112", "klockan åtta"; nor is an article: "tryck ett
av numren". Words for numbers above nine are not known; write figures.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from ivrd.core.prompt_text import pieces


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyWords:
    """How one language speaks of keys."""

    press: frozenset[str]
    """After these comes a key."""
    fillers: frozenset[str]
    """May stand between."""
    links: frozenset[str]
    """Stand between two keys."""
    purposes: frozenset[str]
    """After a key, these tell what it is for: only so does a key count that stands further on."""
    no_key_before: frozenset[str]
    """A number before one of these is no key: "ett av", "two minutes", "one moment"."""
    keys: Mapping[str, str]
    """Word to key."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _keys(text: str) -> dict[str, str]:
    """Return word to key, from lines such as "1 ett ettan"."""
    rows = [line.split() for line in text.strip().splitlines()]
    return {word: key for key, *words in rows for word in words}


SWEDISH = KeyWords(
    press=_words("tryck trycker trycka tryckte knapp knappen knapparna tangent tangenten välj"),
    fillers=_words("på in knapp knappen tangent tangenten siffran siffra nummer först sedan"),
    links=_words("eller och samt"),
    purposes=_words("för om så till när"),
    no_key_before=_words(
        "av alternativ annat gång gånger minut minuter nummer sekund sekunder språk val ögonblick"
    ),
    keys=_keys("""
        0 noll nollan
        1 ett ettan
        2 två tvåan
        3 tre trean
        4 fyra fyran
        5 fem femman
        6 sex sexan
        7 sju sjuan
        8 åtta åttan
        9 nio nian
        * stjärna stjärnan asterisk
        # fyrkant fyrkanten brädgård brädgården
    """),
)

ENGLISH = KeyWords(
    press=_words("press pressing push key keys button buttons choose select"),
    fillers=_words("the key keys button buttons number digit on first then"),
    links=_words("or and"),
    purposes=_words("for to if and when key"),
    no_key_before=_words("of minute minutes moment number second seconds time times"),
    keys=_keys("""
        0 zero nought
        1 one
        2 two
        3 three
        4 four
        5 five
        6 six
        7 seven
        8 eight
        9 nine
        * star asterisk
        # hash pound square
    """),
)

FINNISH = KeyWords(
    press=_words(
        "paina painaa painakaa painat painamalla painike painiketta painikkeesta näppäile näppäin"
        " näppäintä näppäimestä valitse valitsemalla"
    ),
    fillers=_words("näppäintä painiketta numeroa numero näppäin painike ensin sitten"),
    links=_words("tai ja"),
    purposes=_words("jos kun niin saadaksesi"),
    no_key_before=_words("kerran kertaa minuutti minuuttia sekunti sekuntia hetki vaihtoehdoista"),
    keys=_keys("""
        0 nolla nollaa
        1 yksi yhtä ykkönen ykköstä
        2 kaksi kahta kakkonen kakkosta
        3 kolme kolmea kolmonen kolmosta
        4 neljä neljää nelonen nelosta
        5 viisi viittä viitonen viitosta
        6 kuusi kuutta kutonen kutosta kuutosta
        7 seitsemän seitsemää seiska seiskaa
        8 kahdeksan kahdeksaa kasi kasia
        9 yhdeksän yhdeksää ysi ysiä
        * tähti tähteä tähden
        # ruutu ruutua risuaita risuaitaa
    """),
)

SOMALI = KeyWords(
    press=_words("riix riixo taabo guji dooro badhanka batoonka"),
    fillers=_words("badhanka batoonka lambarka nambarka"),
    links=_words("ama iyo"),
    purposes=_words("si haddii wixii"),
    no_key_before=_words("daqiiqo mar ka"),
    keys=_keys("""
        0 eber
        1 kow hal
        2 laba
        3 saddex
        4 afar
        5 shan
        6 lix
        7 toddoba
        8 siddeed
        9 sagaal
        * xiddig xiddigta
    """),
)

KEY_WORDS: Mapping[str, KeyWords] = {
    "sv": SWEDISH,
    "en": ENGLISH,
    "fi": FINNISH,
    "so": SOMALI,
}

_SENTENCE_END = re.compile(r"[.!?;](?=\s|$)")
_TOKEN = re.compile("[0-9]+|[^\\W\\d_]+|[*#,:\N{EN DASH}]")
_SIGN_KEY = re.compile(r"[0-9]{1,6}|[*#]")
_COMMAS = frozenset(",:\N{EN DASH}")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyDifference:
    """Where a prompt and its menu do not agree."""

    not_there: tuple[str, ...]
    """The prompt speaks of them, the menu does not know them; in spoken order."""
    not_spoken: tuple[str, ...]
    """The menu knows them, the prompt does not speak of them; sorted."""


def key_difference(text: str, language: str, keys: Collection[str]) -> KeyDifference:
    """Return how the keys that a text speaks of differ from those of its menu.

    >>> key_difference("Tryck ett eller tre.", "sv", {"1", "2"})
    KeyDifference(not_there=('3',), not_spoken=('2',))
    """
    spoken = keys_spoken(text, language)
    return KeyDifference(
        not_there=tuple(key for key in spoken if key not in keys),
        not_spoken=tuple(sorted(set(keys) - set(spoken))),
    )


def keys_spoken(text: str, language: str) -> tuple[str, ...]:
    """Return the keys that a text speaks of, each once, in spoken order.

    >>> keys_spoken("Tryck ett för växeln, två för vatten. [en] Press star to go back.", "sv")
    ('1', '2', '*')

    Returns:
        Empty also for a piece in a language that has no words here.
    """
    found = [
        key
        for piece in pieces(text, language)
        if piece.language in KEY_WORDS
        for sentence in _SENTENCE_END.split(piece.text.lower())
        for key in _keys_in(_TOKEN.findall(sentence), KEY_WORDS[piece.language])
    ]
    return tuple(dict.fromkeys(found))


def _keys_in(tokens: list[str], words: KeyWords) -> Iterator[str]:
    """Yield the keys of one sentence."""
    place = 0
    is_pressing = False
    while place < len(tokens):
        if tokens[place] in words.press:
            place += 1
            while place < len(tokens) and tokens[place] in words.fillers | words.press:
                place += 1
            is_expected = True
        else:
            is_expected = is_pressing and _goes_on(tokens, place, words)
        length = _key_length(tokens, place, words)
        if is_expected and length:
            yield "".join(_key_of(token, words) for token in tokens[place : place + length])
            is_pressing = True
        place += max(length, 1)


def _key_length(tokens: list[str], place: int, words: KeyWords) -> int:
    """Return how many tokens from here on are one key; 0 when here is none."""
    end = place
    while end < len(tokens) and _key_of(tokens[end], words):
        end += 1
    if end < len(tokens) and tokens[end] in words.no_key_before:
        # Of "ett två gånger" the "ett" is a key, and "två" tells how often.
        end -= 1
    return max(end - place, 0)


def _goes_on(tokens: list[str], place: int, words: KeyWords) -> bool:
    """Tell whether a key may stand here because another one stood before in this sentence."""
    start = place
    while start and tokens[start - 1] in words.links | words.fillers | _COMMAS:
        start -= 1
    if not any(token in words.links | _COMMAS for token in tokens[start:place]):
        return False
    if start and _key_of(tokens[start - 1], words):
        return True
    after = place + _key_length(tokens, place, words)
    return after < len(tokens) and tokens[after] in words.purposes


def _key_of(token: str, words: KeyWords) -> str:
    """Return the key that a word or sign names; empty when it names none."""
    return token if _SIGN_KEY.fullmatch(token) else words.keys.get(token, "")
