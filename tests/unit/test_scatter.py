"""Accuracy against cost: the front is what nobody beats in both, and no name covers another."""

from itertools import combinations, pairwise

from hypothesis import given
from hypothesis import strategies as st

from services.api.dashboard.charts.scatter import (
    LETTER_WIDTH,
    DrawnSpot,
    Spot,
    draw_scatter,
    find_front,
    scale_of,
)

costs = st.one_of(st.just(0.0), st.floats(1e-5, 1e4))


@st.composite
def fleets(draw: st.DrawFn) -> list[Spot]:
    drawn = draw(st.lists(st.tuples(costs, st.floats(0, 1), st.floats(0, 0.2)), min_size=1, max_size=20))
    return [
        Spot(f"model-{at}", cost, share, max(0.0, share - half), min(1.0, share + half))
        for at, (cost, share, half) in enumerate(drawn)
    ]


def spot(model: str, cost: float, share: float) -> Spot:
    return Spot(model, cost, share, share - 0.02, share + 0.02)


def test_the_front_is_what_nobody_beats() -> None:
    fleet = [spot("dear", 9, 0.92), spot("best", 6, 0.94), spot("value", 0.3, 0.9), spot("cheap", 0.2, 0.84)]

    assert [one.model for one in find_front(fleet)] == ["cheap", "value", "best"]


@given(fleets())
def test_everybody_else_is_beaten_by_one_of_the_front(fleet: list[Spot]) -> None:
    front = find_front(fleet)

    for one in fleet:
        beaten = any(
            other.cost <= one.cost
            and other.accuracy >= one.accuracy
            and (other.cost, other.accuracy) != (one.cost, one.accuracy)
            for other in fleet
        )
        assert (one in front) == (not beaten)


def test_equal_models_share_the_front() -> None:
    assert len(find_front([spot("a", 1, 0.9), spot("b", 1, 0.9)])) == 2


def box(one: DrawnSpot) -> tuple[float, float, float, float]:
    width = LETTER_WIDTH * len(one.label)
    left = one.label_x if one.anchor == "start" else one.label_x - width
    return left, left + width, one.label_y - 9, one.label_y + 3


@given(fleets())
def test_all_is_drawn_inside_and_no_name_covers_another(fleet: list[Spot]) -> None:
    drawing = draw_scatter(fleet, 560, 390)

    for one in drawing.spots:
        assert drawing.x0 <= one.x <= drawing.x1
        assert drawing.y1 <= one.top <= one.y <= one.bottom <= drawing.y0
    for one, other in combinations([spot for spot in drawing.spots if spot.label], 2):
        (a, b, c, d), (e, f, g, h) = box(one), box(other)
        assert b <= e or f <= a or d <= g or h <= c
    assert all(one[0] >= 0 and one[1] <= 560 for one in map(box, drawing.spots))
    assert 1 <= len(drawing.costs) <= 9
    assert all(one.at < other.at for one, other in pairwise(drawing.costs))


@given(fleets())
def test_the_scale_holds_every_interval(fleet: list[Spot]) -> None:
    low, high, levels = scale_of(fleet)

    assert low <= min(one.lower for one in fleet) + 1e-6
    assert high >= max(one.upper for one in fleet) - 1e-6
    assert (levels[0], levels[-1] <= high, 2 <= len(levels) <= 7) == (low, True, True)


def test_what_costs_nothing_has_a_place_of_its_own() -> None:
    drawing = draw_scatter([spot("local", 0.0, 0.8), spot("paid", 1.0, 0.9)], 560, 390)

    assert drawing.costs[0].value == 0
    assert drawing.spots[0].x == drawing.costs[0].at < drawing.spots[1].x
