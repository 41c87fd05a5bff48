"""What a person reads when the server refuses."""

from services.cli.failures import explain


def test_each_field_at_fault_has_its_line() -> None:
    problem = {
        "title": "Invalid request",
        "status": 422,
        "detail": "repeats: must be at least 1.",
        "errors": [
            {"field": "repeats", "problem": "must be at least 1.", "remedy": "Write 1 or more."},
            {"field": "models[1]", "problem": "'atlas' is not in models.yaml.", "remedy": ""},
        ],
    }
    assert (
        explain(problem)
        == "repeats: must be at least 1. Write 1 or more.\nmodels[1]: 'atlas' is not in models.yaml."
    )


def test_without_fields_the_detail_is_told() -> None:
    assert explain({"title": "Not found", "detail": "There is no run 9999."}) == "There is no run 9999."


def test_a_server_that_gives_no_reason_is_quoted_so() -> None:
    assert explain({}) == "It gave no reason."


def test_a_server_can_not_write_to_the_terminal() -> None:
    assert "\x1b" not in explain({"detail": "gone\x1b[2J"})
