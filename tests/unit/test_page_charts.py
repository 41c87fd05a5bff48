"""Charts as geometry: lines break where nothing was measured, and evidence where it starts again."""

from datetime import date, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from services.api.dashboard.charts.bars import Track, draw_tracks
from services.api.dashboard.charts.evidence import Curve, EvidenceChart, EvidencePoint, draw_evidence
from services.api.dashboard.charts.frame import Frame
from services.api.dashboard.charts.trends import Trend, TrendPoint, draw_trend, scale_of
from services.api.dashboard.views.diff import compare_words

FIRST = date(2026, 1, 1)


def night(number: int) -> date:
    return FIRST + timedelta(days=number - 1)


def frame(nights: int) -> Frame:
    return Frame(300, 100, 20, 5, 5, 20, FIRST, night(nights), 0.0, 1.0)


def test_a_line_breaks_where_nothing_was_measured() -> None:
    values = [0.9, 0.8, None, None, 0.9, 0.7]
    points = tuple(TrendPoint(night(number), value) for number, value in enumerate(values, start=1))

    drawing = draw_trend(Trend(points), frame(6))

    assert len(drawing.lines) == 2
    assert [gap.x for gap in drawing.gaps] == [frame(6).x(night(2))]


def test_a_night_set_aside_is_marked_and_not_connected() -> None:
    points = (
        TrendPoint(night(1), 0.9),
        TrendPoint(night(2), 0.1, is_set_aside=True),
        TrendPoint(night(3), 0.9),
    )

    drawing = draw_trend(Trend(points), frame(3))

    assert drawing.lines == ()
    assert len(drawing.set_aside) == 1
    assert len(drawing.lone) == 2


def test_only_the_nights_since_the_change_are_coloured() -> None:
    points = tuple(TrendPoint(night(number), 0.9) for number in range(1, 6))

    drawing = draw_trend(Trend(points, changed_on=night(4)), frame(5))

    assert len(drawing.changed) == 2
    assert drawing.mark is not None
    assert frame(5).x(night(3)) < drawing.mark < frame(5).x(night(4))


def test_the_scale_holds_all_values_and_is_cut_at_tens() -> None:
    low, high, levels = scale_of([Trend((TrendPoint(FIRST, 0.83), TrendPoint(night(2), 0.97)))])

    assert (low, high) == (0.8, 1.0)
    assert levels[0] == 0.8


@given(st.lists(st.floats(0, 1), min_size=1, max_size=10))
def test_every_scale_holds_its_values(values: list[float]) -> None:
    trend = Trend(tuple(TrendPoint(night(n), value) for n, value in enumerate(values, start=1)))

    low, high, levels = scale_of([trend])

    assert 0 <= low < high <= 1
    assert low <= min(values) + 1e-9
    assert max(values) <= high + 1e-9
    assert 2 <= len(levels) <= 7


def test_evidence_starts_again_after_an_alarm() -> None:
    points = tuple(
        EvidencePoint(night(n), power, n == 2) for n, power in enumerate([-3.0, 1.0, -2.0, -1.0], 1)
    )

    drawing = draw_evidence(EvidenceChart("", "", (Curve("all", points, is_lead=True),), -2.4), 400, 200)

    assert len(drawing.curves[0].lines) == 2
    assert len(drawing.curves[0].alarms) == 1


def test_labels_do_not_lie_upon_each_other() -> None:
    curves = tuple(
        Curve(str(n), (EvidencePoint(FIRST, -3.0), EvidencePoint(night(2), -3.0))) for n in range(6)
    )

    drawing = draw_evidence(EvidenceChart("", "", curves, -2.4), 400, 200)

    places = sorted(curve.label_y for curve in drawing.curves)
    assert all(after - before >= 13.9 for before, after in pairwise(places))
    assert places[-1] <= 200


def test_a_new_bar_is_a_change() -> None:
    track = Track("Served model", ((night(1), "a"), (night(4), "b"), (night(6), None)))

    (drawn,) = draw_tracks([track], frame(8))

    assert [(bar.text, bar.is_new) for bar in drawn.bars] == [("a", False), ("b", True)]


@given(st.text(max_size=200), st.text(max_size=200))
def test_a_comparison_of_words_loses_nothing(before: str, after: str) -> None:
    old, new = compare_words(before, after)

    assert "".join(part.text for part in old) == before
    assert "".join(part.text for part in new) == after
    assert [p.text for p in old if not p.is_changed] or not [p.text for p in new if not p.is_changed]
