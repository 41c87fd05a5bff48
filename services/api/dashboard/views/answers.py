"""What each model answered in a run, failed first, and how the table is narrowed down."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from services.api.dashboard import numbers
from services.api.dashboard.views.choices import Option
from services.api.export import FORMATS
from shared.db import results, suites
from shared.db.pool import Connection
from shared.db.results import Result, ResultFilter, ResultOutcome
from shared.db.runs import Run
from shared.domain.errors import ErrorKind
from shared.domain.questions.suites import Scorer
from shared.domain.runs import PairState, RunKind

ROWS = 50
LINE = 200  # characters of a text in the table
FOLDED = 800  # a longer text shows its beginning, and unfolds
LONGEST = 10_000  # a longer one is read from the export
_REASONS = {
    ErrorKind.TIMEOUT: "No answer in time.",
    ErrorKind.RATE_LIMITED: "The provider took no more requests.",
    ErrorKind.UNAVAILABLE: "The provider was not available.",
    ErrorKind.AUTHENTICATION: "The provider refused the key.",
    ErrorKind.BAD_REQUEST: "The provider refused the request.",
    ErrorKind.CONTEXT_LENGTH: "The question is longer than the model can read.",
    ErrorKind.NOT_FOUND: "The provider knows no such model.",
    ErrorKind.CONTENT_FILTER: "The provider's filter withheld the answer.",
    ErrorKind.TRUNCATED: "The answer was cut off.",
    ErrorKind.EMPTY: "The answer was empty.",
    ErrorKind.JUDGE_UNPARSABLE: "The judge's reply could not be read.",
    ErrorKind.JUDGE_OFF_SCALE: "The judge's score was off its scale.",
    ErrorKind.JUDGE_UNAVAILABLE: "The judge gave no reply.",
    ErrorKind.SCORER_ERROR: "The scorer could not be carried through.",
    ErrorKind.CONTROL: "A control's answer is compared with the night's before; no judge is asked.",
    ErrorKind.CANCELLED: "Not asked: the run was cancelled.",
    ErrorKind.BUDGET: "Not asked: the run's allowance was used up.",
}


@dataclass(frozen=True, slots=True)
class Passage:
    """A text of any length. `beginning` is empty where all of it is shown; `cut`: how much is left out."""

    text: str
    beginning: str
    length: int
    cut: int


@dataclass(frozen=True, slots=True)
class AnswerRow:
    """One pair. `answer` is None where there is none; `reason`: why it is worth that, or was not measured."""

    question: str
    repeat: int | None
    model: str
    category: str
    outcome: ResultOutcome
    score: float | None
    line: str
    input: Passage
    target: Passage
    answer: Passage | None
    removed: str | None
    reason: str
    reason_line: str
    scored_by: str
    latency_seconds: float | None
    cost_usd: object
    facts: str
    in_full: str


@dataclass(frozen=True, slots=True)
class Chip:
    text: str
    count: int
    to: str
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class Download:
    text: str
    to: str


@dataclass(frozen=True, slots=True)
class Answers:
    """The table with its filters. `number`: how many rows the filters leave; `nothing`: said where none.

    Not `is_there`: the run has no pairs, so there is nothing to narrow down.
    """

    is_there: bool
    rows: tuple[AnswerRow, ...]
    number: int
    models: tuple[Option, ...]
    categories: tuple[Option, ...]
    chips: tuple[Chip, ...]
    kept: Mapping[str, str]
    text: str
    question: str
    without_question: str
    page: int
    pages: int
    previous: str
    next: str
    downloads: tuple[Download, ...]
    nothing: str


async def read_answers(connection: Connection, run: Run, wanted: ResultFilter, page: int) -> Answers:
    """One page of a run's answers. The page after the last one is the last one."""
    found = await results.read_failed_first(connection, run.id, wanted, skip=(page - 1) * ROWS, limit=ROWS)
    number = found.counts.get(wanted.outcome, 0) if wanted.outcome else sum(found.counts.values())
    pages = max(1, -(-number // ROWS))
    if page > pages:
        return await read_answers(connection, run, wanted, pages)
    here = f"/runs/{run.id}"
    query = _as_query(wanted)
    categories = await suites.count_by_category(connection, run.suite_version_id)

    def go(number: int) -> str:
        return f"{here}?{urlencode({**query, 'page': number})}#answers"

    return Answers(
        is_there=bool(found.counts) or bool(query),
        rows=tuple(_describe(run, outcome, result) for outcome, result in found.items),
        number=number,
        models=tuple(_options(f"all {len(run.models)}", run.models, wanted.model)),
        categories=tuple(
            _options(f"all {len(categories)}", [name for name, _ in categories], wanted.category)
        ),
        chips=tuple(_chips(here, query, wanted, found.counts)),
        kept={name: query[name] for name in ("outcome", "question") if name in query},
        text=wanted.text or "",
        question=wanted.question or "",
        without_question=_address(here, {**query, "question": ""}),
        page=page,
        pages=pages,
        previous=go(page - 1) if page > 1 else "",
        next=go(page + 1) if page < pages else "",
        downloads=tuple(_downloads(here, query, number)),
        nothing=_tell_nothing(wanted, sum(found.counts.values())),
    )


def _as_query(wanted: ResultFilter) -> dict[str, str]:
    asked = {
        "model": wanted.model, "category": wanted.category, "outcome": wanted.outcome,
        "question": wanted.question, "text": wanted.text,
    }  # fmt: skip
    return {name: str(value) for name, value in asked.items() if value}


def _address(here: str, query: Mapping[str, str]) -> str:
    given = {name: value for name, value in query.items() if value}
    return f"{here}?{urlencode(given)}" if given else here


def _options(every: str, names: Sequence[str], chosen: str | None) -> Iterator[Option]:
    yield Option("", every, chosen is None)
    yield from (Option(name, name, name == chosen) for name in names)


def _chips(
    here: str, query: Mapping[str, str], wanted: ResultFilter, counts: Mapping[ResultOutcome, int]
) -> Iterator[Chip]:
    everything = _address(here, {**query, "outcome": ""})
    yield Chip("all", sum(counts.values()), everything, wanted.outcome is None)
    for outcome in ResultOutcome:
        if outcome is not ResultOutcome.OPEN or outcome in counts:
            to = _address(here, {**query, "outcome": outcome})
            yield Chip(outcome, counts.get(outcome, 0), to, wanted.outcome is outcome)


def _downloads(here: str, query: Mapping[str, str], number: int) -> Iterator[Download]:
    for form in FORMATS:
        told = f"{form.upper()} of {numbers.many(number, 'row')}"
        yield Download(told, f"{here}/export?{urlencode({**query, 'format': form})}")


def _tell_nothing(wanted: ResultFilter, others: int) -> str:
    told = f"No {wanted.outcome} answer" if wanted.outcome else "No answer"
    told += f" of {wanted.model}" if wanted.model else ""
    told += f" in {wanted.category}" if wanted.category else ""
    told += f" to {wanted.question}" if wanted.question else ""
    told += f" contains “{wanted.text}”." if wanted.text else "."
    acts = [
        "clear the text" if wanted.text else "",
        f"show all outcomes ({numbers.count(others)})" if wanted.outcome and others else "",
        "choose all models and categories" if wanted.model or wanted.category else "",
    ]
    told_acts = " or ".join(filter(None, acts))
    return f"{told} {told_acts.capitalize()}." if told_acts else told


def _describe(run: Run, outcome: ResultOutcome, result: Result) -> AnswerRow:
    reason = result.reason or ""
    if outcome is ResultOutcome.UNSCORED:
        reason = f"{_tell_reason(result.error_kind)} {result.error_detail or ''}".strip()
    elif result.response_removed_at and not reason:
        reason = "What the judge said was removed with the answer."
    elif outcome is ResultOutcome.OPEN:
        answered = result.state == PairState.ANSWERED
        reason = "Answered; the judge is asked." if answered else "Not answered yet."
    same = ResultFilter(model=result.model, question=result.question)
    return AnswerRow(
        question=result.question,
        repeat=result.repeat if run.repeats > 1 else None,
        model=result.model,
        category=result.category,
        outcome=outcome,
        score=result.score,
        line=_line(result.input),
        input=fold(result.input),
        target=fold(result.target),
        answer=fold(result.response) if result.response is not None else None,
        removed=numbers.night(result.response_removed_at.date()) if result.response_removed_at else None,
        reason=reason,
        reason_line=_line(reason),
        scored_by=_name_scorer(run, result),
        latency_seconds=result.latency_seconds,
        cost_usd=result.cost_usd,
        facts=_tell_facts(result),
        in_full=f"/runs/{run.id}/export?{urlencode({**_as_query(same), 'format': 'json'})}",
    )


def fold(text: str) -> Passage:
    """A text as a page can hold it: a long one by its beginning first, a very long one cut."""
    shown = text[:LONGEST]
    beginning = text[:FOLDED].rstrip() + " …" if len(text) > FOLDED else ""
    return Passage(shown, beginning, len(text), len(text) - len(shown))


def _line(text: str) -> str:
    line = " ".join(text[: 4 * LINE].split())
    return line if len(line) <= LINE else f"{line[:LINE].rstrip()} …"


def _tell_reason(kind: str | None) -> str:
    try:
        return _REASONS[ErrorKind(kind or "")]
    except ValueError:  # imported history has kinds of its own
        return f"{(kind or 'not known').replace('_', ' ').capitalize()}."


def _name_scorer(run: Run, result: Result) -> str:
    if run.kind is RunKind.IMPORTED:
        return "As imported"
    scorer = Scorer.from_json(result.scorer)
    return f"Judge {run.judge} v{run.judge_version}" if scorer.asks_the_judge else f"Scorer {scorer.name}"


def _tell_facts(result: Result) -> str:
    """What is known of how the answer came about."""
    tokens = (result.input_tokens, result.output_tokens)
    parts = [
        f"served by {result.served_model}" if result.served_model else "",
        f"fingerprint {result.system_fingerprint}" if result.system_fingerprint else "",
        f"{numbers.count(tokens[0])} tokens in, {numbers.count(tokens[1])} out" if any(tokens) else "",
        f"{numbers.seconds(result.latency_seconds)} s" if result.latency_seconds is not None else "",
        f"{numbers.usd(result.cost_usd)} USD" if result.cost_usd is not None else "cost not known",
        f"judging {numbers.usd(result.judge_cost_usd)} USD" if result.judge_cost_usd is not None else "",
        _tell_tries(result.attempts, "of the model"),
        _tell_tries(result.judge_attempts, "of the judge"),
        f"ended by {result.finish_reason}" if result.finish_reason else "",
        "declines to answer" if result.refused else "",
        "fails by its form" if result.format_failed else "",
        f"answered {numbers.moment(result.answered_at)} UTC" if result.answered_at else "",
        f"request {result.request_id}" if result.request_id else "",
    ]
    told = ", ".join(filter(None, parts))
    return f"{told[:1].upper()}{told[1:]}."


def _tell_tries(number: int, of_whom: str) -> str:
    return "" if not number else f"1 try {of_whom}" if number == 1 else f"{number} tries {of_whom}"
