"""The dialplan's part in overflow keeps one shape, whatever the rules say."""

import re
import tomllib
from pathlib import Path

from ivrd import config, dialplan
from ivrd.labels import label_tree

SAMPLE = Path(__file__).resolve().parents[3] / "config" / "ivrd.toml"


def rendered(**changes: object) -> dict[str, str]:
    """Return the sample's dialplan, with its overflow rule changed."""
    document = tomllib.loads(SAMPLE.read_text(encoding="utf-8"))
    document["overflow"][0] |= changes
    settings = config.check(document)
    return dialplan.render(settings, hours={}, tree=label_tree(settings.department))


def steps(text: str) -> list[str]:
    """Return each step's extension and place, without what it does."""
    return re.findall(r"^(?:exten => [^,]+,1| same => n)", text, flags=re.MULTILINE)


def test_a_rule_changes_what_is_heard_and_no_queues_context() -> None:
    plain = rendered()
    other = rendered(diverts_at_entry=True, mode="off", to_queue="va", notice_prompt="fel-knapp")
    changed = {name for name in plain if plain[name] != other[name]}
    assert changed == {"ivrd-moved.conf"}
    assert steps(plain["ivrd-moved.conf"]) == steps(other["ivrd-moved.conf"])
    assert "rule-vaxel-hog-last,1,Playback(ivrd/flyttad)" in plain["ivrd-moved.conf"]
    assert "rule-vaxel-hog-last,1,Playback(ivrd/fel-knapp)" in other["ivrd-moved.conf"]


def test_a_door_is_asked_beside_a_fresh_heartbeat_and_only_by_who_is_new() -> None:
    text = rendered()["ivrd-queue-vaxel.conf"]
    [asked] = [line for line in text.splitlines() if "?diverted,1" in line]
    for condition in ("IVRD_ENTERED", "IVRD_DIVERTED", "GLOBAL(IVRD_DIVERT_vaxel)", "HEARTBEAT"):
        assert condition in asked
    assert text.index("?elsewhere,1") < text.index("?diverted,1") < text.index("before_queue,1")
