"""Whatever is counted, in whatever parts: a scrape is what the library would write."""

from collections.abc import Mapping
from typing import Literal

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import generate_latest
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector

from ivrd.metric_families import JOINED, TALKS, Labels
from ivrd.metric_series import Histogram, Tally, counter, gauge
from ivrd.metric_text import Form, Lines, Taken

names = st.text(alphabet=st.sampled_from(["a", "ö", '"', "\\", "\n", "{", ","]), max_size=3)
labels = st.tuples(names, names)
values = st.one_of(
    st.integers(min_value=0, max_value=10**20),
    st.floats(allow_nan=False).map(lambda value: value + 0.0),
    st.booleans(),
)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("count"), labels),
        st.tuples(st.just("expect"), labels),
        st.tuples(st.just("write"), st.integers(min_value=1, max_value=3)),
        st.tuples(st.just("read"), st.none()),
        st.tuples(st.just("restore"), st.integers(min_value=0, max_value=2_000_000)),
    ),
    max_size=30,
)


def library(form: Form, collector: Collector) -> str:
    if form is Form.PLAIN:
        return generate_latest(collector).decode()
    return openmetrics.generate_latest(collector).decode().removesuffix("# EOF\n")


@given(steps)
def test_counters_are_written_as_the_library_writes_them(
    story: list[tuple[Literal["count", "expect", "write", "read", "restore"], object]],
) -> None:
    tally = Tally(JOINED)
    histogram = Histogram(TALKS, bounds_s=[1.0, 2.5])
    for number, (what, of) in enumerate(story):
        match what, of:
            case "count", (str() as one, str() as two):
                tally.add((one, two))
                histogram.observe((one, two), number / 3)
            case "expect", (str() as one, str() as two):
                tally.expect((one, two))
                histogram.expect((one, two))
            case "write", int() as most:
                assert tally.freshen(most) <= most
                assert histogram.freshen(most) <= most
            case "restore", int() as count:
                tally.restore([[["a", "b"], count]])
                histogram.restore([[["a", "b"], [1.0, 2.5], [count, 1, 2], 7.5]])
            case _:
                compare(tally, histogram)
    compare(tally, histogram)


def compare(*series: Tally | Histogram) -> None:
    for form in Form:
        for each in series:
            told = b"".join(each.parts(form)).decode()
            assert told == library(form, Taken([each.family()]))


@given(st.lists(st.dictionaries(labels, values, max_size=4), min_size=1, max_size=5))
def test_figures_are_written_as_the_library_writes_them(
    moments: list[Mapping[Labels, float]],
) -> None:
    for make, name in ((counter, "ivrd_x_total"), (gauge, "ivrd_x")):
        lines = Lines(make(name, 'Help "of" \\ it.', ("b", "a"), {}))
        for moment in moments:
            figures = make(name, 'Help "of" \\ it.', ("b", "a"), moment)
            for form in Form:
                ours = lines.heads[form] + lines.text(moment)
                assert ours == library(form, Taken([figures.family()]))
