"""The work itself: a model answers one question, then a scorer or the judge says what the answer is worth."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import structlog

from services.worker.bench import Bench, RunTerms
from services.worker.giving_up import give_up_line
from services.worker.provider import Permanent, Transient, complete
from shared import metrics
from shared.db import pairs
from shared.db.pairs import OpenPair, PairStep
from shared.domain.answers.formats import has_format_failure
from shared.domain.answers.judging import Judge, messages, parse_verdict
from shared.domain.answers.refusals import is_refusal
from shared.domain.answers.scoring import Outcome, Unscored, Verdict, score_answer
from shared.domain.cost import cost
from shared.domain.errors import ErrorKind, InvalidInput
from shared.domain.questions.suites import Question
from shared.domain.retrying import wait_seconds
from shared.domain.runs import Answer, PairKey, PairState, RunId, unmeasurable
from shared.secrets import Unreadable

JUDGE_READINGS = 3  # how often the judge is asked in all while its verdict can't be read
MOST_REFUSALS = 30  # a pair refused so often as one too many is too much by itself
AT_THE_DOOR = frozenset({ErrorKind.AUTHENTICATION, ErrorKind.NOT_FOUND})  # what holds for every call of a run
DOORS_TRIED = 5

log = structlog.get_logger()


class TryAgain(Exception):
    """Evaluate this pair again after {seconds} s."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"Evaluate this pair again after {seconds:.1f} s.")
        self.seconds = seconds


@dataclass(frozen=True, slots=True)
class Turn:
    """A pair's turn at a model: its number, and the way into another model's line.

    `pass_on(model)` is False when the pair has to wait there: then this turn is over.
    """

    tries: int
    pass_on: Callable[[str], Awaitable[bool]]


async def evaluate_pair(bench: Bench, key: PairKey, turn: Turn) -> None:
    """Bring one pair to its end. Done twice, only what is still missing is asked and paid for.

    The judge has a line of its own: who has an answer leaves the model's, so that no limit waits for another.

    Raises:
        TryAgain: something failed in passing and attempts are left.
    """
    async with bench.pool.acquire() as connection:
        pair = await pairs.find_open_pair(connection, key)
    if pair is None:
        return
    if pair.run_stops is not None:
        kind = ErrorKind.CANCELLED if pair.run_stops == "cancelled" else ErrorKind.BUDGET
        await _close(bench, key, pair, Unscored(kind, "The run was stopped before this was measured."))
        return

    while seconds := bench.writer.wait_seconds():  # noqa: ASYNC110  # only trying tells when it is over
        await asyncio.sleep(seconds)
    terms = await bench.terms_of(key.run_id)
    if pair.state is PairState.PENDING:
        pair = await _answer(bench, key, pair, terms, turn)
    if pair is None:
        return
    assert terms.judge is not None, "a run with judged questions is submitted with a judge"
    if await turn.pass_on(terms.judge.model):
        await _judge(bench, key, pair, terms, terms.judge, turn)


async def _answer(bench: Bench, key: PairKey, pair: OpenPair, terms: RunTerms, turn: Turn) -> OpenPair | None:
    """Ask the model. Score its answer at once, or store it and return the pair for the judge."""
    question = pair.question
    prompt = terms.prompt.ask(question) if terms.prompt else [{"role": "user", "content": question.input}]
    try:
        answer = await _call(bench, key.model, prompt, terms.parameters, terms.sealed_keys, role="answer")
    except Transient as fault:
        metrics.count_retry(key.model, fault.kind)
        await _try_again(bench, key, pair, fault, turn, failed_before=pair.attempts)
        return None
    except Permanent as fault:
        await _close(bench, key, pair, Unscored(fault.kind, fault.detail))
        await _count_turned_away(bench, key.run_id, terms, key.model, fault)
        return None

    terms.turned_away.pop(key.model, None)
    outcome: Outcome | None = unmeasurable(answer)
    if outcome is None and not pair.question.scorer.asks_the_judge:
        outcome = score_answer(pair.question, answer.response)
    elif outcome is None and bench.catalogue.is_control(key.model):
        outcome = Unscored(ErrorKind.CONTROL, "A control's answers are compared; no judge is asked.")
    if outcome is not None:
        await _close(bench, key, pair, outcome, answer=answer)
        return None
    refused = _has_refused(answer)
    step = PairStep(key, PairState.PENDING, PairState.ANSWERED, answer=answer, refused=refused)
    if await bench.writer.record(step):
        return replace(pair, state=PairState.ANSWERED, response=answer.response)
    return None


async def _judge(
    bench: Bench, key: PairKey, pair: OpenPair, terms: RunTerms, judge: Judge, turn: Turn
) -> None:
    """Have a stored answer judged; a verdict that can't be read is asked for again."""
    assert pair.response is not None, "an answered pair holds its answer"
    try:
        outcome, judgement = await ask_judge(bench, judge, pair.question, pair.response, terms.sealed_keys)
    except Transient as fault:
        metrics.count_retry(judge.model, fault.kind)
        await _try_again(bench, key, pair, fault, turn, failed_before=pair.judge_attempts)
    except Permanent as fault:
        await _close(bench, key, pair, Unscored(ErrorKind.JUDGE_UNAVAILABLE, str(fault)))
        await _count_turned_away(bench, key.run_id, terms, judge.model, fault)
    else:
        terms.turned_away.pop(judge.model, None)
        await _close(bench, key, pair, outcome, judgement=judgement)


async def ask_judge(
    bench: Bench, judge: Judge, question: Question, response: str, sealed_keys: Mapping[str, bytes]
) -> tuple[Outcome, Answer]:
    """Have the judge score one answer; a verdict that can't be read is asked for again, and costs so.

    Raises:
        Transient, Permanent: the judge gave no reply.
    """
    prompt = messages(judge, question, response)

    async def ask() -> Answer:
        return await _call(bench, judge.model, prompt, judge.parameters, sealed_keys, role="judge")

    reading = await ask()
    verdict = _read_verdict(reading)
    for _ in range(JUDGE_READINGS - 1):
        if isinstance(verdict, Verdict):
            break
        metrics.count_retry(judge.model, ErrorKind.JUDGE_UNPARSABLE)
        reading = reading.after(await ask())
        verdict = _read_verdict(reading)
    return score_answer(question, response, judged=verdict), reading


def _read_verdict(reading: Answer) -> Outcome:
    if reading.finish_reason == "length":
        # What is left of it could end in a verdict that the judge only quoted from the answer.
        return Unscored(ErrorKind.JUDGE_UNPARSABLE, "The judge's reply was cut off; raise its max_tokens.")
    return parse_verdict(reading.response)


async def _call(
    bench: Bench,
    model_name: str,
    prompt: Sequence[Mapping[str, str]],
    parameters: Mapping[str, Any],
    sealed_keys: Mapping[str, bytes],
    *,
    role: str,
) -> Answer:
    """One provider call, timed, counted and priced."""
    try:
        model = bench.catalogue.resolve(model_name)
        sealed = sealed_keys.get(model.provider)
        own_key = None if sealed is None else bench.unseal(sealed)
        arguments = {**parameters, **model.call_parameters(os.environ, own_key)}
    except InvalidInput as fault:
        raise Permanent(ErrorKind.BAD_REQUEST, str(fault)) from fault
    except Unreadable as fault:
        told = f"The run's key to {model.provider} can't be read: the DRIFTWARDEN_SECRET_KEY here is another."
        raise Permanent(ErrorKind.AUTHENTICATION, told) from fault
    epoch = bench.pace.epoch_of(model_name)
    try:
        answer = await complete(
            prompt, arguments, model.timeout_seconds or bench.settings.request_timeout_seconds
        )
    except Transient as fault:
        unscored = Unscored(fault.kind, fault.detail)
        bench.pace.note_fault(model_name, epoch, unscored, fault.retry_after_seconds)
        raise
    except Permanent as fault:
        if fault.kind not in AT_THE_DOOR:
            bench.pace.note_answer(model_name, epoch, tokens=None)
        raise
    bench.pace.note_answer(model_name, epoch, answer.tokens)
    if model.prices is not None and answer.input_tokens is not None and answer.output_tokens is not None:
        answer = replace(answer, cost_usd=cost(model.prices, answer.input_tokens, answer.output_tokens))

    metrics.count_call(model_name, role, answer)
    return answer


async def _try_again(
    bench: Bench, key: PairKey, pair: OpenPair, fault: Transient, turn: Turn, *, failed_before: int
) -> None:
    """Count the failed attempt and ask for another one; after the last, the reason becomes the result.

    A refusal as one call too many is no attempt: it says how fast to ask, and nothing about the pair.
    """
    is_crowded = fault.kind is ErrorKind.RATE_LIMITED
    attempts = failed_before + (not is_crowded)
    if attempts >= bench.settings.max_attempts or (is_crowded and turn.tries >= MOST_REFUSALS):
        is_judged = pair.state is PairState.ANSWERED
        last = (
            Unscored(ErrorKind.JUDGE_UNAVAILABLE, str(fault))
            if is_judged
            else Unscored(fault.kind, fault.detail)
        )
        await _close(bench, key, pair, last)
        return
    if not is_crowded:
        async with bench.pool.acquire() as connection:
            await pairs.record_attempt(connection, key)
    seconds = wait_seconds(max(1, attempts), fault.retry_after_seconds, seed=f"{key}:{turn.tries}")
    log.info("pair.retry", reason=fault.kind, detail=fault.detail, attempt=attempts, wait_seconds=seconds)
    raise TryAgain(seconds)


async def _count_turned_away(
    bench: Bench, run_id: RunId, terms: RunTerms, model: str, fault: Permanent
) -> None:
    """After some calls in a row that no key opens the door to, spare the provider the rest of the run's."""
    if fault.kind not in AT_THE_DOOR:
        return
    terms.turned_away[model] += 1
    if terms.turned_away[model] >= DOORS_TRIED:
        told = Unscored(fault.kind, f"{DOORS_TRIED} calls in a row were turned away. Last: {fault.detail}")
        await give_up_line(bench, run_id, model, told)


async def _close(
    bench: Bench,
    key: PairKey,
    pair: OpenPair,
    outcome: Outcome,
    *,
    answer: Answer | None = None,
    judgement: Answer | None = None,
) -> None:
    """Write a pair's last step and its one log line."""
    after = _final_state(outcome, has_answer=answer is not None or pair.state is PairState.ANSWERED)
    step = PairStep(
        key,
        pair.state,
        after,
        answer=answer,
        judgement=judgement,
        outcome=outcome,
        refused=_has_refused(answer),
        format_failed=_has_format_failed(pair, answer, outcome),
    )
    if not await bench.writer.record(step):
        return
    told = outcome.kind if isinstance(outcome, Unscored) else "scored"
    metrics.count_answer(key.model, told)
    log.info(
        f"pair.{after}",
        question=pair.question.id,
        score=outcome.score if isinstance(outcome, Verdict) else None,
        reason=None if isinstance(outcome, Verdict) else outcome.kind,
        ms=round(1000 * answer.latency_seconds) if answer else None,
        judge_ms=round(1000 * judgement.latency_seconds) if judgement else None,
        cost_usd=str(step.cost_usd),
    )


def _has_refused(answer: Answer | None) -> bool | None:
    """Known for every answer with text, scored or not; an answer stored before has its fact already."""
    return is_refusal(answer.response) if answer and answer.response.strip() else None


def _has_format_failed(pair: OpenPair, answer: Answer | None, outcome: Outcome) -> bool | None:
    response = answer.response if answer else pair.response
    if response is None or isinstance(outcome, Unscored):
        return None
    return has_format_failure(pair.question, response, outcome)


def _final_state(outcome: Outcome, *, has_answer: bool) -> PairState:
    match outcome:
        case Verdict():
            return PairState.SCORED
        case Unscored(kind=ErrorKind.CANCELLED | ErrorKind.BUDGET) if not has_answer:
            return PairState.SKIPPED
        case Unscored():
            return PairState.UNSCORED if has_answer else PairState.FAILED
