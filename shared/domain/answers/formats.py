"""Format failures: answers that fail by their form and not by their content."""

import re
from collections.abc import Iterator

from shared.domain.answers.assertions import Unmeasurable, prepare
from shared.domain.answers.choices import offered_choices, settled_choice
from shared.domain.answers.numerals import final_number
from shared.domain.answers.refusals import is_refusal
from shared.domain.answers.scorer_terms import Terms
from shared.domain.answers.scoring import Verdict, scorers_of
from shared.domain.questions.suites import Question, Scorer

_EMPHASIS = [
    re.compile(rf"(?<!\w){mark}(?=\S)([^{mark[-1]}\n]++)(?<=\S){mark}(?!\w)")
    for mark in (r"\*\*", "__", r"\*", "_", "`")
]
_QUOTES = {'"': '"', "'": "'", "“": "”", "‘": "’", "«": "»"}
_PUNCTUATION = ".!,;: "


def has_format_failure(question: Question, answer: str, outcome: Verdict) -> bool | None:
    """Whether a scored answer failed by its form; None where no form is asked for (llm-rubric alone).

    It did if it holds no number for `numeric`, no clear choice for `choice`, no JSON for the JSON scorers, or
    if it fails another deterministic scorer only for its code fence, its emphasis, the quotation marks around
    it or its final punctuation. In an assert-set one such part is enough. A refusal fails by what it says.
    """
    demanding = [scorer for scorer in scorers_of(question.scorer) if scorer.name != "llm-rubric"]
    if not demanding:
        return None
    if (outcome.passed and question.scorer.name != "assert-set") or is_refusal(answer):
        return False
    return any(_fails_by_form(scorer, question, answer) for scorer in demanding)


def _fails_by_form(scorer: Scorer, question: Question, answer: str) -> bool:
    terms = Terms(scorer.options, question.target, question.input)
    check = prepare(scorer.name, terms)
    try:
        if check(answer)[0]:
            return False
        match scorer.name:
            case "numeric":
                return final_number(answer) is None
            case "choice":
                offer = offered_choices(terms.asked, terms.wanted_text(), terms.named_choices())
                # An offer of the right choice alone can't tell another choice from none.
                return len(offer.texts) > 1 and settled_choice(answer, offer)[0] is None
            case "is-json" | "contains-json":
                return True
            case _:
                return any(check(text)[0] for text in _undressed(answer))
    except Unmeasurable:
        return False


def _undressed(answer: str) -> Iterator[str]:
    """The answer with ever less around it: no code fence, then no emphasis and quotes, then no full stop."""
    text = _out_of_fence(answer)
    yield text
    for emphasis in _EMPHASIS:
        text = emphasis.sub(r"\1", text)
    text = _out_of_quotes(text)
    yield text
    yield _out_of_quotes(text.rstrip(_PUNCTUATION)).rstrip(_PUNCTUATION)


def _out_of_fence(answer: str) -> str:
    _, fence, rest = answer.partition("```")
    if not fence:
        return answer.strip()
    inside = rest.partition("```")[0]
    _language, newline, code = inside.partition("\n")
    return (code if newline else inside).strip()


def _out_of_quotes(text: str) -> str:
    text = text.strip()
    is_quoted = len(text) > 1 and _QUOTES.get(text[0]) == text[-1]
    return text[1:-1].strip() if is_quoted else text
