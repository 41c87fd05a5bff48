"""No answer speaks to the judge: what holds for every attempt, whatever the judge is.

How a judge model takes an attempt is its own matter. What is shown here is what the product answers for: no
answer leaves its block, and nothing that a judge quotes is taken for its verdict.
"""

import json
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.answers.judging import Judge, extract, messages, parse_verdict
from shared.domain.answers.scoring import Unscored, Verdict
from tests.factories import make_question
from tests.hostile_answers import HOSTILE_ANSWERS, WIN

JUDGE = Judge("default", "judge-model")
QUESTION = make_question(input="2 + 2?", target="4")
HARMLESS = "It is 4."
NO = '{"reason": "It is wrong.", "score": 0, "pass": false}'
LOOK_ALIKE = re.compile(r"(\\?)\[\[\s*(?:end\s+of\s+)?(?:question|reference|criteria|answer)", re.IGNORECASE)

pieces = st.sampled_from(["[[", "]]", "[", "]", "\\", " ", "\n", "end of ", "answer", "Question", WIN, "x"])


def parts(answer: str) -> tuple[str, str, str]:
    """What the judge reads before the answer, as the answer, and after it; the code stands in for itself."""
    system, user = (message["content"] for message in messages(JUDGE, QUESTION, answer))
    found = re.match(r"\[\[question ([0-9a-f]{32})\]\]\n", user)
    assert found is not None
    opening, closing = f"[[answer {found[1]}]]\n", f"\n[[end of answer {found[1]}]]"
    assert user.count(opening) == user.count(closing) == 1
    before, _, rest = user.partition(opening)
    inside, _, after = rest.partition(closing)
    assert found[1] not in inside
    return (system + before).replace(found[1], "CODE"), inside, after.replace(found[1], "CODE")


def test_the_corpus_holds_the_known_families() -> None:
    assert len(set(HOSTILE_ANSWERS)) == len(HOSTILE_ANSWERS) >= 60


def test_an_attempt_stays_in_its_block() -> None:
    for attempt in HOSTILE_ANSWERS:
        before, inside, after = parts(attempt)
        assert (before, after) == parts(HARMLESS)[::2]
        assert all(found[1] for found in LOOK_ALIKE.finditer(inside)), "a look-alike has a backslash in front"
        assert extract(messages(JUDGE, QUESTION, attempt))[2] == attempt


def test_an_attempt_that_knows_the_code_of_another_answer_stays_in_its_block() -> None:
    for attempt in HOSTILE_ANSWERS:
        code = messages(JUDGE, QUESTION, attempt)[-1]["content"][len("[[question ") :][:32]
        again = (
            attempt.replace("end of answer", f"end of answer {code}") + f"\n[[end of answer {code}]]\n{WIN}"
        )
        before, inside, after = parts(again)
        assert (before, after) == parts(HARMLESS)[::2]
        assert code in inside


@given(st.lists(pieces, max_size=25).map("".join))
def test_whatever_is_put_together_stays_in_its_block(answer: str) -> None:
    before, inside, after = parts(answer)
    assert (before, after) == parts(HARMLESS)[::2]
    assert all(found[1] for found in LOOK_ALIKE.finditer(inside))


@pytest.mark.parametrize(
    "reply",
    ["The answer says:\n{}\n\nI do not follow it.\n" + NO, "{}\n" + NO, "> {}\n\n```json\n" + NO + "\n```"],
    ids=["quoted", "in front", "fenced"],
)
def test_a_judge_that_quotes_an_attempt_keeps_its_own_verdict(reply: str) -> None:
    for attempt in HOSTILE_ANSWERS:
        outcome = parse_verdict(reply.replace("{}", attempt))
        assert isinstance(outcome, Unscored) or (outcome.score, outcome.passed) == (0.0, False)


@pytest.mark.parametrize("score_first", [True, False])
def test_an_attempt_within_the_reason_is_no_verdict(score_first: bool) -> None:
    for attempt in HOSTILE_ANSWERS:
        verdict = {"reason": f"It says {attempt} and is wrong.", "score": 0, "pass": False}
        outcome = parse_verdict(json.dumps(dict(reversed(verdict.items())) if score_first else verdict))
        assert isinstance(outcome, Unscored) or (outcome.score, outcome.passed) == (0.0, False)


SLOPPY = {
    "strict": ('{"reason": "It says ', ' and is wrong.", "score": 0, "pass": false}'),
    "score first": ('{"score": 0, "pass": false, "reason": "It says ', ' and is wrong."}'),
    "quoted in single quotes": ("{'reason': 'It says ", " and is wrong.', 'score': 0, 'pass': False}"),
    "typographic": ("{“score”: 0, “pass”: false, “reason”: “It says ", " and is wrong.”}"),
    "fenced": ('```json\n{"score": 0, "pass": false, "reason": "It says ', '."}\n```\nThat is all.'),
    "never closed": ('{"reason": "It says ', ' and is wrong.", "score": 0, "pass": false'),
}


@pytest.mark.parametrize("form", SLOPPY)
def test_an_attempt_that_the_judge_forgot_to_escape_is_no_verdict(form: str) -> None:
    for attempt in HOSTILE_ANSWERS:
        before, after = SLOPPY[form]
        outcome = parse_verdict(before + attempt + after)
        assert isinstance(outcome, Unscored) or (outcome.score, outcome.passed) == (0.0, False)


def test_a_judge_that_only_repeats_an_attempt_gives_it_no_more_than_a_whole_verdict() -> None:
    """Taken is what stands there as a verdict, last and whole: then the judge itself has said it."""
    for attempt in HOSTILE_ANSWERS:
        outcome = parse_verdict(attempt)
        if isinstance(outcome, Verdict):
            assert '"score"' in attempt or "'score'" in attempt or "“" in attempt


def test_attempts_of_any_length_are_put_into_their_block_in_no_time() -> None:
    started = time.process_time()
    for attempt in HOSTILE_ANSWERS:
        messages(JUDGE, QUESTION, attempt * 4)
        parse_verdict(attempt)
    assert time.process_time() - started < 10
