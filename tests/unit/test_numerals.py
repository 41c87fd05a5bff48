"""Numbers in answers: what is read, and that it agrees with people's labels on real answers."""

import gzip
import json
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.answers.numerals import Number, final_number, numbers
from shared.domain.answers.scoring import Verdict, score_answer
from tests.factories import make_question

RECORDED = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "gsm8k_solutions.jsonl.gz"


def final(text: str) -> float:
    found = final_number(text)
    assert found is not None
    return float(found.value * found.scale)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("26", 26),
        ("A: 26", 26),
        ("so 13 * 2 = $<<13*2=26>>26\n#### 26", 26),
        ("The total is 18.", 18),
        ("**18**", 18),
        ("She makes $1,234.50.", 1234.5),
        ("1,234,567", 1234567),
        ("12\u202f345 km", 12345),
        ("1{,}234", 1234),
        (r"1\,234\,567", 1234567),
        ("€-5", -5),
        ("-$5", -5),
        ("−7", -7),
        ("x = -3", -3),
        ("- 5 apples", 5),
        ("pages 3-5", 5),
        ("it is 16-3", 3),
        ("COVID-19", 19),
        (".5", 0.5),
        ("x=.5", 0.5),
        ("3/4", 0.75),
        ("1 1/2 cups", 1.5),
        ("-1/2", -0.5),
        (r"\boxed{\frac{1}{2}}", 0.5),
        (r"-\frac{1}{2}", -0.5),
        (r"2\frac{1}{2}", 2.5),
        ("5e3", 5000),
        ("1.5 × 10^6", 1_500_000),
        (r"1.5 \times 10^{-3}", 0.0015),
        ("2^{10}", 1024),
        ("2 million", 2_000_000),
        ("50%", 0.5),
        (r"10\%", 0.1),
        ("15 percent", 0.15),
        (r"5 \text{cm}^2", 5),
        ("18 g of H2O", 18),
        ("The result is \\boxed{42}, which took 7 steps.", 42),
        ("Final answer: 18\n\nNote that 2 dollars were spent.", 18),
        ("#### 18\nI used 3 steps.", 18),
        ("5/0 is undefined, 3 is not, 4/0 is", 3),
    ],
)
def test_an_answer_arrives_at_its_last_or_marked_number(answer: str, expected: float) -> None:
    assert final(answer) == pytest.approx(expected)


@pytest.mark.parametrize("answer", ["", "twelve", "H2O", "v1.2.3", "9" * 5000, "-", "\\boxed{x}"])
def test_an_answer_without_a_number_arrives_at_none(answer: str) -> None:
    assert final_number(answer) is None


def test_every_number_is_read_in_order() -> None:
    assert [number.value for number in numbers("1, then 2.5 and 1/3")] == [1, Fraction(5, 2), Fraction(1, 3)]


@pytest.mark.parametrize(
    ("answer", "target", "agrees"),
    [
        ("50%", "50", True),
        ("50%", "0.5", True),
        ("0.5", "50%", True),
        ("50", "50%", True),
        ("50%", "50%", True),
        ("0.5%", "50%", False),
        ("5 million", "5,000,000", True),
        ("5", "5 million", True),
        ("5 million", "5 billion", False),
        ("0.30000000000000004", "0.3", True),
        ("26.0", "26", True),
        ("26.01", "26", False),
        ("1/3", "0.333", False),
    ],
)
def test_units_agree_where_only_one_side_writes_them(answer: str, target: str, agrees: bool) -> None:
    (left,), (right,) = numbers(answer), numbers(target)
    assert left.is_close_to(right, Fraction(0)) is agrees


def test_a_number_too_large_for_a_float_is_still_shown_and_compared() -> None:
    (huge,) = numbers("9e999")
    assert huge.is_close_to(huge, Fraction(0))
    assert "too large" in str(huge)


@given(st.text())
def test_no_text_makes_it_fail(text: str) -> None:
    found = final_number(text)
    assert found is None or isinstance(str(found), str)


@given(st.text(alphabet="0123456789.,/%$-−^{}*eE \\", max_size=200))
def test_no_confusion_of_signs_makes_it_fail(text: str) -> None:
    for number in numbers(text):
        assert number.is_close_to(number, Fraction(0))


@given(
    st.integers(-(10**12), 10**12), st.sampled_from(["{}", "It is {:,}.", "**{}**", "${:,}", "\\boxed{{{}}}"])
)
def test_a_written_integer_is_read_back(value: int, form: str) -> None:
    assert final_number(form.format(value)) == Number(Fraction(value))


@given(st.decimals(-(10**6), 10**6, places=3))
def test_a_written_decimal_is_read_back(value: object) -> None:
    assert final_number(f"about {value}.") == Number(Fraction(str(value)))


def test_scores_agree_with_every_label_of_the_recorded_solutions() -> None:
    if not RECORDED.exists():
        pytest.skip(f"no recorded solutions beside the checkout ({RECORDED.name})")
    disagreements = []
    with gzip.open(RECORDED, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    for row in rows:
        outcome = score_answer(make_question(target=row["reference"]), row["response"])
        assert isinstance(outcome, Verdict)
        if outcome.passed != row["correct"]:
            disagreements.append((row["question_id"], row["model"], outcome.reason))
    assert len(rows) == 5276
    assert disagreements == []
