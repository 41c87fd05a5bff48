"""Who did it? A part of the table, told again, and the page that quotes it."""

import json

import pytest

from shared.domain.causes.blame import Cause
from shared.domain.causes.ledger import QuestionTerms, Terms, changes_between
from tests.simulation.accusations import PAGE, STORED, TRIALS, Row, show
from tests.simulation.culprits import CULPRITS, NO_INCIDENT, Told, try_culprit

JUDGES = [row for row in CULPRITS if row.startswith("judge")]
# Of 60 trials, how many were told as this two weeks later, at least.
EXPECTED = {
    "judge swapped: 5 points stricter": (Cause.JUDGE, 54),
    "judge swapped, half of the questions judged": (Cause.JUDGE, 54),
    "model swapped: 10 points worse": (Cause.MODEL, 57),
    "model swapped: 5 points worse": (Cause.MODEL, 42),
    "both: model 10 points worse, judge 5 stricter": (Cause.MIXED, 54),
    "outage: nothing answered on one night": (Cause.OUTAGE, 60),
    "outage: all wrong on one night": (Cause.OUTAGE, 54),
    "scorers edited: 30 % of the questions": (NO_INCIDENT, 59),
    "harness changed: 10 points worse, controls moved": (Cause.HARNESS, 57),
    "calls three times slower": (Cause.SERVICE, 57),
    "refusals up by 20 points": (Cause.MODEL, 57),
}


@pytest.fixture(scope="module")
def accused() -> dict[str, Row]:
    stored: dict[str, Row] = json.loads(STORED.read_text())
    return stored


def test_the_page_shows_what_was_measured(accused: dict[str, Row]) -> None:
    assert list(accused) == list(CULPRITS)
    assert all(row["trials"] >= TRIALS for row in accused.values())
    assert show(accused) in PAGE.read_text(encoding="utf-8"), (
        "Run: python -m tests.simulation.accusations --write"
    )


@pytest.mark.parametrize("row", JUDGES)
def test_a_judge_was_never_taken_for_its_model(accused: dict[str, Row], row: str) -> None:
    assert Cause.MODEL not in {**accused[row]["at first"], **accused[row]["in the end"]}


@pytest.mark.parametrize("row", CULPRITS)
def test_two_weeks_later_the_culprit_was_named(accused: dict[str, Row], row: str) -> None:
    cause, least = EXPECTED[row]
    assert accused[row]["in the end"].get(cause, 0) >= least


@pytest.mark.parametrize("row", [row for row in CULPRITS if row.startswith("outage")])
def test_outages_were_set_aside_and_over_by_themselves(accused: dict[str, Row], row: str) -> None:
    assert accused[row]["set aside"] >= 0.9 * TRIALS
    assert accused[row]["closed by itself"] == accused[row]["trials"]


@pytest.mark.slow
@pytest.mark.parametrize("row", CULPRITS)
def test_it_is_told_again_as_it_was_measured(row: str) -> None:
    """The first two trials of those that were measured."""
    told = [one for first in range(2) for one in try_culprit(row, first)]
    cause, _ = EXPECTED[row]
    assert sum(one.in_the_end == cause for one in told) >= 1, told
    if row in JUDGES:
        assert not [one for one in told if Cause.MODEL in (one.at_first, one.in_the_end)]


@pytest.mark.slow
def test_an_outage_leaves_nothing_behind() -> None:
    [told] = try_culprit("outage: nothing answered on one night", 0)
    assert told == Told(Cause.OUTAGE, Cause.OUTAGE, quarantined=True, closed_by_itself=True)


def test_an_edited_scorer_is_told_by_the_ledger() -> None:
    """No model is accused, for an edited question is another unit; the user's own change is told instead."""
    before = make_terms("exact", unit="unit-1")
    [change] = changes_between(before, make_terms("contains", unit="unit-1 edited"))
    assert change.headline == "You changed the scorer of 1 question: q-1."


def make_terms(scorer: str, unit: str) -> Terms:
    question = QuestionTerms(unit, "math", None, "What is 1 + 1?", "2", {"name": scorer})
    return Terms(
        suite="golden", suite_version=1, questions={"q-1": question}, asks_judge=False, judge=None,
        parameters={}, prompt=None, repeats=1, sample=None, client_versions={}, git_commit=None, labels={},
    )  # fmt: skip
