"""The dialplan's part in labels: one shape, codes for all, and nobody asked for nothing."""

import itertools
import re
import tomllib
from pathlib import Path
from typing import Any

from ivrd import config, dialplan
from ivrd.core.labels import HALF_HELPED_KEY, dead_ends
from ivrd.dialplan.labels import GROUP, LABEL
from ivrd.dialplan.reading import contexts_of
from ivrd.labels import label_tree
from ivrd.rendering import pauses_members

SAMPLE = Path(__file__).resolve().parents[3] / "config" / "ivrd.toml"


def checked(**queue: object) -> config.Config:
    """Return the sample, with its guides' queue changed."""
    document: dict[str, Any] = tomllib.loads(SAMPLE.read_text(encoding="utf-8"))
    document["queues"][1] |= queue
    return config.check(document)


def rendered(settings: config.Config) -> dict[str, str]:
    return dialplan.render(settings, hours={}, tree=label_tree(settings.department))


def steps(text: str) -> list[str]:
    """Return each step's extension and place, without what it does."""
    return re.findall(r"^(?:exten => [^,]+,1| same => n)", text, flags=re.MULTILINE)


def test_a_queues_context_has_one_shape_with_labels_and_without() -> None:
    with_labels = rendered(checked(labels_by_phone=True))
    without = rendered(checked(labels_by_phone=False))
    assert steps(with_labels["ivrd-queue-kc.conf"]) == steps(without["ivrd-queue-kc.conf"])
    assert f"Queue(kc,tF({LABEL}^after^1),,," in with_labels["ivrd-queue-kc.conf"]
    assert "Queue(kc,t,,," in without["ivrd-queue-kc.conf"]
    assert f"{LABEL}.conf" not in without
    assert LABEL not in without["ivrd.conf"]


def test_every_code_is_taken_after_the_call_and_during_it() -> None:
    settings = checked()
    tree = label_tree(settings.department)
    after = contexts_of([rendered(settings)[f"{LABEL}.conf"]])[LABEL].extensions
    features = dialplan.render_features(tree, settings.labels)
    for keys, subject in tree.phone_codes.items():
        for mark, label_class in (("", "whole"), (HALF_HELPED_KEY, "half")):
            told = f"{subject.code},{label_class}"
            assert str(after[mark + keys][0]) == f"Gosub(told,1({told},after))"
            assert f'=> *5{mark}{keys},self,Gosub,"{LABEL},during,1({told})"' in features
    for keys in dead_ends(tree.phone_codes):
        assert f'=> *5{keys},self,Gosub,"{LABEL},wrong,1"' in features


def test_the_group_names_each_feature_once_and_no_code_begins_another() -> None:
    settings = checked()
    features = dialplan.render_features(label_tree(settings.department), settings.labels)
    _, group = features.split(f"[{GROUP}]\n")
    names = dict(line.split(" => ") for line in group.splitlines())
    mapped = re.findall(r"^(\S+) => (\S+),self", features, flags=re.MULTILINE)
    assert dict(mapped) == names
    assert len(mapped) == len(names)
    codes = sorted(names.values())
    assert [one for one, other in itertools.pairwise(codes) if other.startswith(one)] == []
    assert max(map(len, codes)) <= 11, "Asterisk's own bound of a feature's keys"


def test_our_user_is_told_why_it_may_pause() -> None:
    for hold_s in (0, 30):
        settings = checked(hold_until_labelled_s=hold_s)
        text = dialplan.render_manager(
            settings.pbx[0], event_filters=[], pauses_members=pauses_members(settings)
        )
        assert "write = system,call,reporting,agent\n" in text
        assert ("guides are held until" in text) == bool(hold_s)
        template = dialplan.render_queues(settings.queues)
        assert ("wrapuptime = 2" in template) == bool(hold_s)
