"""What each figure is called, and its formula in words, Swedish first.

Here: text only. The arithmetic is core/period_figures.py; a test compares the names.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from ivrd.core.case_record import CaseClass
from ivrd.reports.document import Language


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """One figure in words."""

    title_sv: str
    title_en: str
    formula_sv: str
    formula_en: str

    def title(self, language: Language) -> str:
        """Return what it is called."""
        return self.title_sv if language == "sv" else self.title_en

    def formula(self, language: Language) -> str:
        """Return how it is reckoned."""
        return self.formula_sv if language == "sv" else self.formula_en


def _words(title_sv: str, title_en: str, formula_sv: str, formula_en: str) -> Words:
    return Words(title_sv=title_sv, title_en=title_en, formula_sv=formula_sv, formula_en=formula_en)


WORDS: Mapping[str, Words] = {
    "calls": _words(
        "Samtal", "Calls", "alla avslutade samtal till linjen", "all ended calls to the line"
    ),
    "calls_offered": _words(
        "Mötte öppen linje",
        "Met an open line",
        "samtal minus samtal som mötte stängt",
        "calls minus calls that met a closed line",
    ),
    "calls_resolved": _words(
        "Lösta av vägledare",
        "Resolved by a guide",
        "besvarade av vägledare och inte kopplade vidare",
        "answered by a guide and not handed on",
    ),
    "calls_handed_on": _words(
        "Kopplade av vägledare",
        "Handed on by a guide",
        "besvarade av vägledare och kopplade vidare",
        "answered by a guide and handed on",
    ),
    "calls_switchboard": _words(
        "Enbart växel",
        "Switchboard only",
        "besvarade av växeln och ingen vägledare",
        "answered by the switchboard and no guide",
    ),
    "calls_abandoned": _words(
        "Tappade i kö",
        "Abandoned in a queue",
        "la på i kö före svar",
        "hung up in a queue before an answer",
    ),
    "calls_menu_hangup": _words(
        "La på i menyn",
        "Hung up in the menu",
        "la på före kö, utan det besked de valt",
        "hung up before any queue, without what they had asked for",
    ),
    "calls_unserved": _words(
        "Utan svar",
        "Unserved",
        "avvisade eller skickade vidare av kön, utan svar",
        "refused or sent on by a queue, and not answered",
    ),
    "calls_closed": _words(
        "Mötte stängt", "Met a closed line", "linje eller kö var stängd", "line or queue was closed"
    ),
    "calls_informed": _words(
        "Fick besked",
        "Informed",
        "la på vid ett meddelande som svarade på frågan",
        "hung up at an announcement that answered the question",
    ),
    "calls_directed": _words(
        "Hänvisade",
        "Directed",
        "menyn ledde till ett nummer utanför köerna",
        "the menu led to a number outside the queues",
    ),
    "calls_unknown": _words(
        "Okänt slut", "Unknown end", "slutet sågs inte", "the end was not seen"
    ),
    "offered": _words("Inkomna", "Offered", "ställda i kö + avvisade", "joined + refused"),
    "joined": _words("Ställda i kö", "Joined", "kom in i kön", "entered the queue"),
    "refused": _words(
        "Avvisade", "Refused", "kön full eller utan handläggare", "queue full or without agents"
    ),
    "answered": _words("Besvarade", "Answered", "en handläggare svarade", "an agent answered"),
    "abandoned": _words("Tappade", "Abandoned", "la på före svar", "hung up before an answer"),
    "short_abandons": _words(
        "varav korta",
        "of which short",
        "la på inom köns korta gräns X",
        "hung up within the queue's short limit X",
    ),
    "abandon_rate": _words(
        "Andel tappade", "Abandon rate", "tappade / inkomna", "abandoned / offered"
    ),
    "sl": _words(
        "Svarsnivå",
        "Service level",
        "besvarade inom T / (besvarade + tappade minus korta)",
        "answered within T / (answered + abandoned minus short abandons)",
    ),
    "sl_goal": _words(
        "Svarsnivå mot mål",
        "Service level by goal",
        "som sl, med målets tid i stället för T",
        "as sl, with the goal's time for T",
    ),
    "sl_answered": _words(
        "Svarsnivå, besvarade",
        "Level of answered",
        "besvarade inom T / besvarade",
        "answered within T / answered",
    ),
    "sl_all_ended": _words(
        "Svarsnivå, avslutade",
        "Level of all ended",
        "(besvarade + tappade inom T) / (besvarade + tappade)",
        "(answered + abandoned within T) / (answered + abandoned)",
    ),
    "sl_offered": _words(
        "Svarsnivå, erbjudna",
        "Level of offered",
        "besvarade inom T / (besvarade + tappade)",
        "answered within T / (answered + abandoned)",
    ),
    "sl_queued": _words(
        "Svarsnivå, köade",
        "Level of queued",
        "(besvarade + tappade inom T) / ställda i kö",
        "(answered + abandoned within T) / joined",
    ),
    "wait_p50": _words(
        "Väntan, median", "Wait, median", "hälften väntade högst", "half waited at most"
    ),
    "wait_p90": _words(
        "Väntan, 90 %", "Wait, 90 %", "nio av tio väntade högst", "nine of ten waited at most"
    ),
    "wait_p95": _words(
        "Väntan, 95 %", "Wait, 95 %", "19 av 20 väntade högst", "19 of 20 waited at most"
    ),
    "wait_longest": _words("Längsta väntan", "Longest wait", "av besvarade", "of those answered"),
    "wait_over_25s": _words(
        "Väntade över 25 s",
        "Waited over 25 s",
        "besvarade efter mer än 25 s / besvarade",
        "answered after more than 25 s / answered",
    ),
    "wait_over_60s": _words(
        "Väntade över 60 s",
        "Waited over 60 s",
        "besvarade efter mer än 60 s / besvarade",
        "answered after more than 60 s / answered",
    ),
    "wait_over_10min": _words(
        "Väntade över 10 min",
        "Waited over 10 min",
        "besvarade efter mer än 10 min / besvarade",
        "answered after more than 10 min / answered",
    ),
    "asa": _words(
        "Medelväntan",
        "Mean wait (ASA)",
        "väntan för besvarade / besvarade",
        "wait of answered / answered",
    ),
    "abandoned_wait_p50": _words(
        "Tappade väntade, median",
        "Abandoned waited, median",
        "hälften av tappade väntade högst",
        "half of the abandoned waited at most",
    ),
    "abandoned_wait_longest": _words(
        "Tappade väntade längst", "Abandoned waited longest", "av tappade", "of the abandoned"
    ),
    "talk_total": _words(
        "Samtalstid", "Talk", "svar till handläggarens slut, summa", "answer to agent's end, sum"
    ),
    "aht_without_wrap_up": _words(
        "Hanteringstid, medel",
        "Handling, mean (AHT)",
        "(samtal + parkering) / besvarade; efterarbete lagras inte",
        "(talk + hold) / answered; wrap-up is not stored",
    ),
    "talk_unknown": _words(
        "Okänd samtalstid",
        "Talk unknown",
        "besvarade vars slut inte sågs",
        "answered, and the end was not seen",
    ),
    "hand_overs": _words(
        "Kopplade vidare",
        "Handed over",
        "besvarade i växeln, av samtal som kopplades vidare",
        "answered by the switchboard, of calls that were handed over",
    ),
    "handling_mean": _words(
        "Expeditionstid, medel",
        "Handling time, mean",
        "svar till koppling / kopplade vidare",
        "answer to hand-over / handed over",
    ),
    "handling_p90": _words(
        "Expeditionstid, 90 %",
        "Handling time, 90 %",
        "nio av tio kopplades inom",
        "nine of ten were handed over within",
    ),
    "handling_over_30s": _words(
        "Expeditionstid över 30 s",
        "Handling time over 30 s",
        "kopplade efter mer än 30 s / kopplade vidare",
        "handed over after more than 30 s / handed over",
    ),
    "moved_in": _words("Flyttade hit", "Moved in", "kom genom överflöde", "came by overflow"),
    "moved_out": _words(
        "Flyttade härifrån", "Moved out", "gick genom överflöde", "left by overflow"
    ),
    "diverted": _words(
        "Skickade vidare i dörren",
        "Diverted at the door",
        "till annan kö före väntan, genom överflöde",
        "to another queue before waiting, by overflow",
    ),
    "timed_out": _words(
        "Tiden gick ut", "Timed out", "lämnade kön vid dess tidsgräns", "left at the queue's limit"
    ),
    "empty": _words(
        "Kön blev obemannad", "Queue left empty", "ingen handläggare kvar", "no agent was left"
    ),
    "key_exits": _words(
        "Lämnade med knapp", "Left by key", "valde annat i kön", "chose something else in line"
    ),
    "withdrawn": _words("Uttagna av annan", "Withdrawn by others", "inte av ivrd", "not by ivrd"),
    "redirected": _words(
        "Försvann ur kön", "Redirected", "utan skäl och utan att lägga på", "without a reason"
    ),
    "closed": _words(
        "Mötte stängd kö", "Met a closed queue", "stängd, eller stängde", "closed, or closing"
    ),
    "unknown": _words("Okänt slut", "Unknown end", "sågs inte", "was not seen"),
    "guided": _words(
        "Samtal med vägledare",
        "Calls by guides",
        "samtal som en vägledare besvarade, en gång var",
        "calls that a guide answered, each once",
    ),
    "cases": _words("Ärenden", "Cases", "alla klasser", "all classes"),
    "fcr": _words(
        "Lösningsgrad",
        "First-contact resolution",
        "lösta vid första kontakten / samtal med vägledare vars slut är känt",
        "solved at first contact / calls by guides whose end is known",
    ),
    "repeat_rate": _words(
        "Återkom inom 7 dagar",
        "Rang again within 7 days",
        "samtal följda av ett till från samma nummer / samtal med känt nummer",
        "calls followed by another from the same number / calls with a known number",
    ),
    "callers_unknown": _words(
        "Okänt nummer", "Number unknown", "går inte att känna igen", "cannot be known again"
    ),
    "change_of_count": _words(
        "Förändring av antal",
        "Change of a count",
        "(nu minus före) / före",
        "(now minus before) / before",
    ),
    "change_of_share": _words(
        "Förändring av andel",
        "Change of a share",
        "nu minus före, i procentenheter",
        "now minus before, in percentage points",
    ),
    "change_of_time": _words(
        "Förändring av tid", "Change of a time", "nu minus före", "now minus before"
    ),
}

CLASSES = {
    CaseClass.RESOLVED: ("lösta", "resolved"),
    CaseClass.HALF_HELPED: ("halvt hjälpta", "half helped"),
    CaseClass.CONTACT: ("kontakter", "contacts"),
}
"""Cases by class, in the order in which they are shown."""


def class_words(case_class: CaseClass, language: Language) -> str:
    """Return what a class of cases is called."""
    both = CLASSES[case_class]
    return both[0] if language == "sv" else both[1]
