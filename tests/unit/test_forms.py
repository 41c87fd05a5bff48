"""Forms are read field by field; what can't be read is told there, and kept."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import FormData

from services.api.dashboard.forms import NAME, Reader, begin
from services.api.schemas.runs import RunRequest
from shared.domain.errors import InvalidInput

LABELS = {
    "suite": "Suite",
    "repeats": "Repeats",
    "max_cost_usd": "Cost",
    "labels": "Labels",
    "models": "Models",
}


def read(**fields: str) -> Reader:
    return Reader(FormData(list(fields.items())), LABELS)


@given(st.text())
def test_any_text_is_a_whole_number_or_told(written: str) -> None:
    reader = read(repeats=written)
    number = reader.whole("repeats")
    assert (number is not None) + bool(reader.filled.error("repeats")) + (not written.strip()) == 1


@given(st.text())
def test_any_text_is_a_number_or_told(written: str) -> None:
    reader = read(max_cost_usd=written)
    number = reader.number("max_cost_usd")
    assert (number is not None) + bool(reader.filled.error("max_cost_usd")) + (not written.strip()) == 1


@given(st.text())
def test_any_labels_are_read_or_told(written: str) -> None:
    reader = read(labels=written)
    labels = reader.labels("labels")
    assert reader.is_fine or reader.filled.error("labels")
    assert not reader.is_fine or all(key.strip() == key != "" for key in labels)


def test_words_stand_between_spaces_commas_and_lines() -> None:
    assert read(models="a, b\n c,d").words("models") == ["a", "b", "c", "d"]


def test_errors_stand_in_the_order_of_the_form() -> None:
    reader = read(repeats="x", suite="")
    reader.number("max_cost_usd")
    reader.whole("repeats")
    reader.refuse(InvalidInput("suite", "is missing."))
    assert [name for name, _, _ in reader.filled.told] == ["suite", "repeats"]
    assert reader.filled.error("suite") == "It is missing."


def test_what_the_form_has_no_field_for_is_told_at_another() -> None:
    reader = read()
    reader.refuse(InvalidInput("git_commit", "is odd."), other="suite")
    assert reader.filled.error("suite") == "It is odd."


def test_a_request_is_checked_as_the_rest_api_does() -> None:
    reader = read(suite="my suite", repeats="0")
    assert (
        reader.check(RunRequest, {"suite": reader.text("suite"), "repeats": reader.whole("repeats")}) is None
    )
    assert reader.filled.error("repeats").startswith("Input should be greater")
    assert reader.filled.error("suite") == NAME


@pytest.mark.parametrize("value", ["kept", ["a", "b"], 3, 2.5])
def test_a_form_begins_with_what_is_known(value: str | list[str] | int | float) -> None:
    form = begin(LABELS, suite=value, models=None)
    assert form.text("suite") == str(value[0] if isinstance(value, list) else value)
    assert form.text("models") == ""
