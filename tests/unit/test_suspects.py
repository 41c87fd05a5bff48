"""Judge, model, both or not known; in both directions."""

import pytest

from shared.domain.causes.suspects import Suspect, changed_controls, suspect, weigh_strata
from shared.domain.drift.dating import Shift


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(
    ("model", "judge", "expected"),
    [
        ((-0.10, 0.02), (0.00, 0.01), Suspect.MODEL),
        ((-0.05, 0.01), (-0.05, 0.01), Suspect.JUDGE),
        ((-0.10, 0.02), (-0.04, 0.01), Suspect.MIXED),
        ((-0.05, 0.02), (-0.02, 0.02), Suspect.UNDETERMINED),
        ((-0.06, 0.02), (-0.01, 0.02), Suspect.UNDETERMINED),
        ((-0.06, 0.02), (0.05, 0.01), Suspect.MODEL),
    ],
)
def test_who_moved(
    model: tuple[float, float], judge: tuple[float, float], expected: Suspect, sign: int
) -> None:
    suspicion = suspect(Shift(sign * model[0], model[1], 200), Shift(sign * judge[0], judge[1], 90))
    assert suspicion.suspect is expected
    assert suspicion.corrected.value == pytest.approx(sign * (model[0] - judge[0]))
    assert suspicion.corrected.standard_error == pytest.approx((model[1] ** 2 + judge[1] ** 2) ** 0.5)


def test_borderline_anchors_weigh_as_little_as_borderline_answers() -> None:
    shifts = {"borderline": Shift(-0.40, 0.04, 45), "clear": Shift(0.0, 0.01, 45)}
    shift = weigh_strata(shifts, {"borderline": 20, "clear": 180})
    assert shift.value == pytest.approx(-0.04)
    assert shift.units == 90
    assert shift.standard_error == pytest.approx(((0.1 * 0.04) ** 2 + (0.9 * 0.01) ** 2) ** 0.5)
    plain = Shift(-0.20, 0.02, 90)
    drop = Shift(-0.12, 0.02, 200)
    assert suspect(drop, plain).suspect is Suspect.JUDGE
    assert suspect(drop, shift).suspect is Suspect.MIXED


def test_a_control_moves_when_one_byte_does() -> None:
    before = {"q1": "42", "q2": "yes"}
    assert changed_controls(before, {"q1": "42", "q2": "yes", "new": "x"}) == ()
    assert changed_controls(before, {"q1": "42 ", "q2": "yes"}) == ("q1",)
