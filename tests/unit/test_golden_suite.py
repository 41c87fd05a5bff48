"""The golden suite that ships with the product keeps its promises to its readers."""

import json
import re
from collections import Counter, defaultdict
from decimal import Decimal
from pathlib import Path

import pytest

from shared.domain.answers.scoring import Unscored, Verdict, rubric, score_answer
from shared.domain.questions.suite_files import parse_suite
from shared.domain.questions.suites import Question

SUITES = Path(__file__).resolve().parents[2] / "suites"
QUESTIONS = parse_suite("golden.csv", (SUITES / "golden.csv").read_bytes()).questions
DETERMINISTIC = [question for question in QUESTIONS if not question.scorer.asks_the_judge]
JUDGED = [question for question in QUESTIONS if question.scorer.asks_the_judge]
CATEGORIES = {"reasoning", "math", "coding", "hallucination", "rag", "instruction-following", "safety"}


def passes(question: Question, answer: str) -> bool:
    outcome = score_answer(question, answer)
    assert isinstance(outcome, Verdict), f"{question.id} is unscored: {outcome}"
    return outcome.passed


def ids(questions: list[Question]) -> list[str]:
    return [question.id for question in questions]


def written_patterns(question: Question) -> list[str]:
    parts = [question.scorer.as_json(), *json.loads(json.dumps(question.scorer.options.get("assert", [])))]
    return [part["value"] for part in parts if "regex" in (part.get("name"), part.get("type"))]


def choices(question: Question) -> list[str]:
    return re.findall(r"^([A-H])\) ", question.input, flags=re.MULTILINE)


def test_each_of_the_seven_categories_is_well_filled() -> None:
    counts = Counter(question.category for question in QUESTIONS)
    assert set(counts) == CATEGORIES
    assert min(counts.values()) >= 31
    assert len(QUESTIONS) >= 217


def test_ids_count_up_within_their_category() -> None:
    numbers: Counter[str] = Counter()
    for question in QUESTIONS:
        numbers[question.category] += 1
        assert question.id == f"{question.category}-{numbers[question.category]:03d}"


def test_no_question_is_asked_twice() -> None:
    assert len({question.input for question in QUESTIONS}) == len(QUESTIONS)
    assert len({question.unit for question in QUESTIONS}) == len(QUESTIONS)


def test_most_questions_need_no_judge() -> None:
    assert 0.55 <= len(DETERMINISTIC) / len(QUESTIONS) <= 0.66


def test_clusters_leave_200_independent_units() -> None:
    assert len({question.cluster or question.id for question in QUESTIONS}) >= 200


def test_questions_of_a_cluster_share_category_and_material() -> None:
    clusters: dict[str, list[Question]] = defaultdict(list)
    for question in QUESTIONS:
        if question.cluster:
            clusters[question.cluster].append(question)
    for name, members in clusters.items():
        assert len(members) > 1, f"{name} has one question"
        assert len({question.category for question in members}) == 1
        shared = set.intersection(*(set(question.input.split("\n")) for question in members))
        assert sum(map(len, shared)) > 200, f"{name} shares no material"


@pytest.mark.parametrize("dressed", ["{}", "{}\n", "  {}  "], ids=["bare", "with a line end", "with blanks"])
def test_every_reference_passes_its_own_scorer(dressed: str) -> None:
    assert ids([q for q in DETERMINISTIC if not passes(q, dressed.format(q.target))]) == []


@pytest.mark.parametrize("answer", ["", "   ", "I don't know.", "No.", "As an AI, I would say yes and no."])
def test_an_empty_or_evasive_answer_passes_nowhere(answer: str) -> None:
    assert ids([q for q in DETERMINISTIC if passes(q, answer)]) == []


def test_the_reference_of_another_question_does_not_pass() -> None:
    confused = [
        (question.id, other.id)
        for question in DETERMINISTIC
        for other in DETERMINISTIC
        if (other.category, other.scorer.name) == (question.category, question.scorer.name)
        if other.target != question.target and passes(question, other.target)
    ]
    assert confused == []


def test_numbers_are_found_behind_working_and_markup() -> None:
    for question in DETERMINISTIC:
        if question.scorer.name == "numeric":
            for answer in (
                f"First 3 × 5 = 15.\n\n**{question.target}**",
                f"$$\\boxed{{{question.target}}}$$",
            ):
                assert passes(question, answer), f"{question.id}: {answer}"


def test_a_number_that_is_slightly_off_does_not_pass() -> None:
    for question in DETERMINISTIC:
        if question.scorer.name == "numeric":
            last_digit = Decimal(1).scaleb(-len(question.target.partition(".")[2]))
            for wrong in (
                Decimal(question.target) - 2 * last_digit,
                Decimal(question.target) + 2 * last_digit,
            ):
                assert not passes(question, str(wrong)), f"{question.id}: {wrong}"


def test_one_choice_passes_and_all_others_fail() -> None:
    asked = [question for question in DETERMINISTIC if question.scorer.name == "choice"]
    for question in asked:
        offered = choices(question)
        assert offered == list("ABCDEFGH"[: len(offered)])
        right = [letter for letter in offered if passes(question, f"I weighed them all.\n\n{letter}")]
        assert right == [question.target]
    share = max(Counter(question.target for question in asked).values()) / len(asked)
    assert share < 0.4, "always answering with one letter would pay"


def test_patterns_hold_in_python_too() -> None:
    for question in DETERMINISTIC:
        for pattern in written_patterns(question):
            assert re.compile(pattern).search(question.target), question.id


def test_no_pattern_is_slow_on_a_long_answer() -> None:
    for question in DETERMINISTIC:
        if written_patterns(question):
            for piece in ("a ", "- a\n", "answer: ", question.target, question.target + "\n", "* `_"):
                answer = piece * (20_000 // len(piece)) + "\0"
                assert not isinstance(score_answer(question, answer), Unscored), f"{question.id}: {piece!r}"


def test_judged_questions_come_with_a_reference_and_criteria() -> None:
    for question in JUDGED:
        criteria = rubric(question)
        assert criteria, question.id
        assert "Full credit" in criteria, question.id
        assert "None" in criteria, question.id
        assert len(question.target) >= 20, question.id


def test_readme_counts_what_the_file_holds() -> None:
    readme = (SUITES / "README.md").read_text(encoding="utf-8")
    row = re.compile(r"^\| ([a-z-]+) \| (\d+) \| (\d+) \| (\d+) \|", re.MULTILINE)
    for category, *told in row.findall(readme):
        held = [sum(q.category == category for q in part) for part in (QUESTIONS, DETERMINISTIC, JUDGED)]
        assert [int(count) for count in told] == held, category
    assert len(row.findall(readme)) == len(CATEGORIES)
    assert f"{len(QUESTIONS)} questions" in readme
    assert f"{len({q.cluster or q.id for q in QUESTIONS})} units" in readme
    for scorer, count in Counter(question.scorer.name for question in QUESTIONS).items():
        assert f"{count} `{scorer}`" in readme or count == 1, scorer
