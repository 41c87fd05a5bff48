"""The gate's reports as values: whatever a model answers, each stays well-formed."""

import re
from dataclasses import replace
from decimal import Decimal
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from services.cli.gate.junit import write_junit
from services.cli.gate.markdown import code, write_markdown
from services.cli.gate.outcome import GateOutcome, as_json
from services.cli.gate.terminal import describe_gate
from services.cli.gate.words import headline, tell_deciding
from shared.domain.figures.gate import Criterion, Deciding, Estimate, Finding, Wish
from shared.domain.figures.gate_cases import Case, Reply, Side, latencies, pair_cases

RUN = {"id": "1a2b", "suite": "golden", "suite_version": 3, "finished_at": "2026-11-21T10:00:00Z"}
RIGHT, WRONG = Side(1.0, "4", "", 0.5), Side(0.0, "5", "", 0.25)
UNSCORED = Side(None, None, "timeout: no answer", None)
# Everything that PostgreSQL can store, control characters included.
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=60)


def make_case(before: Side | None, after: Side | None, **changed: str) -> Case:
    fields = {"model": "bright", "question": "q-1", "category": "math", "input": "2 + 2?", **changed}
    return Case(**fields, before=before, after=after)


def paired(**changed: Any) -> dict[str, Any]:
    return {
        "verdict": "fail", "questions": 50, "baseline_accuracy": 0.84, "candidate_accuracy": 0.511,
        "difference": -0.329, "adjusted_difference": -0.31, "lower": -0.4, "upper": -0.2,
        "broke": 20, "fixed": 3, "minimum_detectable_difference": 0.072,
        "questions_needed": 900, "questions_needed_with_4_repeats": 225,
        **changed,
    }  # fmt: skip


def make_flip(number: int, **changed: Any) -> dict[str, Any]:
    return {
        "model": "bright", "question": f"q-{number}", "category": "math",
        "score_before": 1.0, "score_after": 0.0, "answer_before": "4", "answer_after": "5", **changed,
    }  # fmt: skip


def make_outcome(flips: list[dict[str, Any]] | None = None, **changed: Any) -> GateOutcome:
    model = {"baseline_model": "bright", "candidate_model": "bright", **paired()}
    category = {"category": "math", "is_worse": True, **paired()}
    comparison = {
        "verdict": "fail", "margin": 0.03, "same_answers": False, "pooled": paired(),
        "models": [{**model, "categories": [category]}],
        "not_compared": [], "flips": {"broke": 20, "fixed": 3, "items": flips or [make_flip(1)]},
    }  # fmt: skip
    change = Criterion(Wish.NOT_WORSE, None, 0.03, Estimate(-0.31, -0.4, -0.2), Finding.FAIL)
    outcome = GateOutcome(
        Finding.FAIL, 1, [change], baseline=RUN, candidate={**RUN, "id": "3c4d"}, comparison=comparison
    )
    return replace(outcome, **changed)


def test_markdown_tells_the_finding_first() -> None:
    lines = write_markdown(make_outcome()).splitlines()
    assert lines[0] == "### Driftwarden gate: REGRESSION"
    assert lines[2] == (
        "golden v3: candidate 3c4d of 2026-11-21 10:00 UTC against baseline 1a2b of 2026-11-21 10:00 UTC."
    )
    assert "| change | `all` | −31.0 (−40.0 to −20.0) | above −3.0 points | FAIL |" in lines
    assert "| `q-1` | `bright` | `4` | `5` |" in lines
    assert any("a drop of 7.2 points would be seen in 8 of 10" in line for line in lines)


@given(texts)
def test_text_of_others_is_shown_and_nothing_more(text: str) -> None:
    told = code(f"@octocat {text} ![x](http://x) <img> |", most=1000)
    markdown = f"| one | two |\n| --- | --- |\n| {told} | two |\n"
    html = MarkdownIt("commonmark").enable("table").render(markdown)
    [cell] = re.findall(r"<td>(.*)</td>\n<td>two</td>", html, re.DOTALL)
    assert cell.startswith("<code>@octocat")
    assert cell.endswith("</code>")
    assert "<" not in cell.removeprefix("<code>").removesuffix("</code>")


def test_markdown_stays_far_below_what_a_comment_takes() -> None:
    flips = [
        make_flip(number, question="q" * 1000, answer_before="`" * 900, answer_after="|" * 500)
        for number in range(200)
    ]
    notes = ["note " * 1000] * 500
    assert len(write_markdown(make_outcome(flips, notes=notes))) < 40_000


def test_every_report_can_tell_of_a_gate_that_found_nothing() -> None:
    nothing = GateOutcome(Finding.NOT_MEASURED, 3, notes=["The server gave no answer."])
    assert "`The server gave no answer.`" in write_markdown(nothing)
    assert as_json(nothing)["notes"] == ["The server gave no answer."]
    assert len(list(describe_gate(nothing))) == 3
    [error] = ElementTree.fromstring(write_junit(nothing)).iter("error")
    assert error.get("message") == "The server gave no answer."


def test_the_headline_names_what_failed_besides_the_change() -> None:
    cost = Criterion(Wish.CHEAP, None, 1.0, Estimate(2.0, 2.0, 2.0), Finding.FAIL)
    change = Criterion(Wish.NOT_WORSE, None, 0.03, Estimate(0.0, -0.01, 0.01), Finding.PASS)
    assert headline(make_outcome()) == "REGRESSION"
    assert headline(make_outcome(criteria=[change, cost])) == "REGRESSION (cost)"
    assert headline(GateOutcome(Finding.NOT_MEASURED, 2)) == "NOT RUN"


def test_what_would_decide_names_questions_repeats_and_dollars() -> None:
    deciding = make_deciding(1, "4.84", "4.86")
    assert tell_deciding(deciding).replace("\N{NO-BREAK SPACE}", " ") == (
        "What would decide it: two runs of 1 210 questions like these, each asked once, about 4.84 USD a run;"
        " or of 303 asked four times, about 4.86 USD a run."
    )
    assert "price not known" in tell_deciding(make_deciding(1, None, None))
    assert "four times" not in tell_deciding(make_deciding(4, "1", "1"))


def make_deciding(repeats: int, usd: str | None, usd_with_4: str | None) -> Deciding:
    once, again = (None if each is None else Decimal(each) for each in (usd, usd_with_4))
    return Deciding(repeats, 1210, 303, once, again)


def test_junit_tells_what_broke_from_what_was_not_measured_and_what_is_new() -> None:
    cases = [
        make_case(RIGHT, RIGHT, question="held"),
        make_case(WRONG, WRONG, question="was wrong before"),
        make_case(RIGHT, WRONG, question="broke"),
        make_case(RIGHT, UNSCORED, question="not measured"),
        make_case(None, RIGHT, question="new"),
        make_case(RIGHT, None, question="gone"),
        make_case(UNSCORED, RIGHT, question="not measured before"),
        make_case(None, UNSCORED, question="new and not measured"),
    ]
    root = ElementTree.fromstring(write_junit(make_outcome(cases=cases)))
    found = {case.get("name"): [child.tag for child in case] for case in root.iter("testcase")}
    assert found == {
        "held": [], "was wrong before": [], "broke": ["failure"], "not measured": ["error"],
        "new": ["skipped"], "gone": ["skipped"], "not measured before": ["skipped"],
        "new and not measured": ["error"],
    }  # fmt: skip
    [suite] = root.iter("testsuite")
    assert dict(suite.items()) == {
        "name": "bright", "tests": "8", "failures": "1", "errors": "2", "skipped": "3", "time": "2.000",
    }  # fmt: skip


ORDER = {"testsuite": ["properties", "testcase"], "testcase": ["skipped", "error", "failure", "system-out"]}
TOTALS = {"tests": "testcase", "failures": "failure", "errors": "error", "skipped": "skipped"}
NEEDED = {
    "testsuites": {"name", "tests", "failures", "errors", "skipped"},
    "testsuite": {"name", "tests", "failures", "errors", "skipped"},
    "testcase": {"name", "classname", "time"},
    "failure": {"message", "type"},
    "error": {"message", "type"},
    "skipped": {"message"},
    "property": {"name", "value"},
}


@given(st.lists(st.tuples(texts, texts, st.sampled_from([None, RIGHT, WRONG, UNSCORED])), max_size=6))
def test_junit_is_well_formed_and_as_readers_expect_it(told: list[tuple[str, str, Side | None]]) -> None:
    cases = [
        make_case(Side(1.0, text, "", 1.0), after, model=f"m {name}", question=name, input=text)
        for name, text, after in told
    ]
    root = ElementTree.fromstring(write_junit(make_outcome(cases=cases)))
    assert len(list(root.iter("testcase"))) == max(len(cases), 1)
    for element in root.iter():
        assert NEEDED.get(element.tag, set()) <= set(element.keys())
        places = [ORDER[element.tag].index(child.tag) for child in element if element.tag in ORDER]
        assert places == sorted(places)
    for suite in (root, *root.iter("testsuite")):
        for total, tag in (
            ("tests", "testcase"),
            ("failures", "failure"),
            ("errors", "error"),
            ("skipped", "skipped"),
        ):
            assert int(suite.get(total, "-1")) == len(list(suite.iter(tag)))


def make_reply(question: str, score: float | None, repeat: int = 1, **changed: Any) -> Reply:
    fields: dict[str, Any] = {
        "model": "bright", "question": question, "category": "math", "input": "2 + 2?", "target": "4",
        "scorer": {"name": "numeric"}, "repeat": repeat, "score": score, "response": f"answer {repeat}",
        "error": "" if score is not None else "timeout", "latency_seconds": float(repeat), **changed,
    }  # fmt: skip
    return Reply(**fields)


def test_repeats_of_a_question_are_one_case() -> None:
    before = [make_reply("a", 1.0), make_reply("a", 0.0, 2), make_reply("a", None, 3)]
    after = [make_reply("a", 0.0), make_reply("a", 0.0, 2)]
    [case] = pair_cases(before, after, ["bright"])
    assert case.before == Side(0.5, "answer 1", "", 1.5)
    assert case.outcome == "broke"
    assert latencies([case], "bright") == ({"0": 1.5}, {"0": 1.5})


@pytest.mark.parametrize("changed", [{"input": "3 + 3?"}, {"target": "5"}, {"scorer": {"name": "equals"}}])
def test_an_edited_question_is_another_one(changed: dict[str, Any]) -> None:
    cases = pair_cases([make_reply("a", 1.0)], [make_reply("a", 0.0, **changed)], ["bright"])
    assert [case.outcome for case in cases] == ["one_sided", "one_sided"]


def test_models_that_are_not_judged_have_no_cases() -> None:
    assert pair_cases([make_reply("a", 1.0, model="dim")], [], ["bright"]) == ()
