"""What is read out of `queue show`, and what counts as a difference."""

from dataclasses import replace

import pytest

from tests.lab.agreement import API, ASTERISK, CLI, METRICS, MQTT, Seen, differences, queue_show

SHOWN = """kc has 2 calls (max unlimited) in 'rrmemory' strategy (0s holdtime, 0s talktime), W:0
   Members: 
      g (PJSIP/g) (ringinuse disabled) (Busy) has taken no calls yet (login was 19 secs ago)
   Callers: 
      1. PJSIP/anonymous-00000002 (wait: 0:00, prio: 1226774315)
      2. PJSIP/anonymous-00000003 (wait: 0:00, prio: 1226774315)

vaxel has 0 calls (max unlimited) in 'rrmemory' strategy (0s holdtime, 0s talktime), W:0
   No Members
   No Callers

default has 1 call (max unlimited) in 'ringall' strategy (0s holdtime, 0s talktime), W:0
   No Members
   Callers: 
      1. PJSIP/anonymous-00000000 (wait: 0:02, prio: 0)

"""  # noqa: W291 - Asterisk's own blanks.

TRUTH = Seen({"kc": "2", "vaxel": "0"}, {"kc": ("a", "b"), "vaxel": ()})
OLDEST = {"kc": "2026-11-22T04:42:48Z", "vaxel": None}
ALL = {
    ASTERISK: TRUTH,
    METRICS: Seen(TRUTH.counts),
    API: replace(TRUTH, oldest=OLDEST),
    MQTT: Seen(TRUTH.counts, oldest=OLDEST),
    CLI: Seen(TRUTH.counts, oldest=OLDEST),
}


def test_queue_show_is_read_queue_by_queue() -> None:
    assert queue_show(SHOWN) == (
        {"kc": "2", "vaxel": "0", "default": "1"},
        {
            "kc": ("PJSIP/anonymous-00000002", "PJSIP/anonymous-00000003"),
            "vaxel": (),
            "default": ("PJSIP/anonymous-00000000",),
        },
    )


def test_who_says_the_same_agrees() -> None:
    assert differences(ALL) == []


@pytest.mark.parametrize(
    ("name", "told"),
    [
        (METRICS, Seen({"kc": "1", "vaxel": "0"})),
        (METRICS, Seen({"kc": "2"})),
        (METRICS, Seen({})),
        (API, replace(ALL[API], counts={"kc": "2", "vaxel": "None"})),
        (API, replace(ALL[API], callers={"kc": ("b", "a"), "vaxel": ()})),
        (API, replace(ALL[API], callers={"kc": ("a", "c"), "vaxel": ()})),
        (MQTT, Seen({"kc": "0", "vaxel": "2"}, oldest=OLDEST)),
        (CLI, Seen(TRUTH.counts, oldest={"kc": "2026-11-22T04:42:50Z", "vaxel": None})),
    ],
)
def test_whoever_says_something_else_is_named(name: str, told: Seen) -> None:
    [found] = differences({**ALL, name: told})
    assert found.startswith(f"{name}: ")
