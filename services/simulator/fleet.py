"""The simulated fleet: a request in, what becomes of it out. It neither waits nor sends; the app does."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, assert_never

from services.simulator import chance, faults
from services.simulator.answers import AnswerSheet, write_sheets
from services.simulator.assistants import answer, small_talk
from services.simulator.config import Assistant, Control, Judge, Replay, SimulatorConfig
from services.simulator.control import steady_reply
from services.simulator.faults import Fate
from services.simulator.judge import Judged, read_judging_prompt, verdict
from services.simulator.nights import Calendar, Clock, Tonight, tonight
from services.simulator.recognition import Recogniser
from services.simulator.replay import Library, Tape, read_recordings
from services.simulator.replies import Draft, complete, seconds_to_reply, tokens_in
from services.simulator.traffic import Traffic
from services.simulator.wire import ChatRequest, Completion, Fault
from shared.domain.errors import InvalidInput
from shared.domain.questions.suite_files import parse_suite
from shared.domain.questions.suites import Question, SuiteContent


@dataclass(frozen=True, slots=True)
class Malformed:
    """A body that is not JSON."""

    body: bytes


@dataclass(frozen=True, slots=True)
class Silence:
    """No reply at all, until the client hangs up."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A reply, and the seconds to let pass before it is sent."""

    reply: Completion | Fault | Malformed
    wait_seconds: float


Subject: TypeAlias = AnswerSheet | Tape | Judged | str
"""What a request is about; a text where it is nothing known."""


class Fleet:
    """Every simulated model, with its counters. Same configuration and requests per input: same replies."""

    def __init__(
        self,
        config: SimulatorConfig,
        folder: Path,
        questions: Sequence[Question] = (),
        clock: Clock = time.time,
    ) -> None:
        """Read the files that the configuration names, relative to `folder`. InvalidInput."""
        known = [*questions, *(q for path in config.suites for q in _read_suite(folder / path).questions)]
        self._sheets = Recogniser(write_sheets(known))
        self._library = read_recordings(folder / config.replay) if config.replay else {}
        self.config = _with_recorded_models(config, self._library)
        self.calendar = Calendar(config.epoch, config.night, clock)
        self.overall = Traffic()
        self.traffic = {name: Traffic() for name in self.config.models}
        self._asked: Counter[tuple[str, str]] = Counter()
        self._asked_on = self.calendar.night()
        self._tonight: dict[str, tuple[int, Tonight]] = {}

    def tonight(self, name: str) -> Tonight:
        """How the model behaves on the current night."""
        night = self.calendar.night()
        cached = self._tonight.get(name)
        if cached is None or cached[0] != night:
            cached = self._tonight[name] = (night, tonight(self.config, name, night))
        return cached[1]

    def change(self, name: str, fields: dict[str, Any]) -> None:
        """Change fields of a model from tonight on. InvalidInput where they make no sense."""
        self.config = self.config.with_change(name, fields, self.calendar.night())
        self._tonight.clear()

    def refuse(self, request: ChatRequest, now: float) -> Fault | None:
        """The error for a request that does not get as far as the model, at `now` (monotonic seconds)."""
        traffic = self.traffic.get(request.model)
        if traffic is None:
            return faults.unknown_model(request.model)
        traffic.counts.requests += 1
        self.overall.counts.requests += 1
        limits = self.tonight(request.model).behaviour.limits
        wait_seconds = traffic.seconds_to_wait(limits, now)
        if wait_seconds is not None:
            return faults.rate_limit(request.model, wait_seconds)
        tokens = tokens_in(request.characters)
        if limits.context_tokens is not None and tokens > limits.context_tokens:
            return faults.context_too_long(limits.context_tokens, tokens)
        return None

    def plan(self, request: ChatRequest) -> Planned | Silence:
        """Decide what becomes of a request, and count that its question has been asked once more."""
        night, state = self.calendar.night(), self.tonight(request.model)
        subject = self._subject(request)
        about = _name(subject)
        self.traffic[request.model].inputs.add(hash(about))
        self.overall.inputs.add(hash(about))
        attempt = self._count_attempt(request.model, about, night)
        event = (self.config.seed, state.identity, about, "request", night, attempt)
        fate = faults.fate(state.behaviour.faults, chance.uniform(*event))
        match fate:
            case Fate.HANG:
                return Silence()
            case Fate.RATE_LIMITED:
                retry_after = state.behaviour.limits.retry_after_seconds
                return Planned(faults.rate_limit(request.model, retry_after), 0.0)
            case Fate.SERVER_ERROR:
                return Planned(faults.server_error(), 0.0)
        draft = self._draft(request, state, subject, night, attempt)
        if isinstance(draft, Fault):
            return Planned(draft, 0.0)
        wait_seconds = seconds_to_reply(state.behaviour, draft, *event)
        if fate is Fate.MALFORMED:
            return Planned(Malformed(faults.MALFORMED), wait_seconds)
        return Planned(complete(request, state.behaviour, draft, fate), wait_seconds)

    @contextmanager
    def visit(self, name: str) -> Iterator[None]:
        """Count a request as in flight at the model while the block runs."""
        with self.overall.visit(), self.traffic[name].visit():
            yield

    def count_reply(self, name: str, reply: Completion | Fault | Malformed) -> None:
        for traffic in (self.overall, self.traffic.get(name, Traffic())):
            counts = traffic.counts
            match reply:
                case Completion():
                    counts.completed += 1
                case Fault(status=429):
                    counts.rate_limited += 1
                case Fault() | Malformed():
                    counts.failed += 1

    def count_abandoned(self, name: str) -> None:
        """Count a request whose client hung up before the reply."""
        self.overall.counts.abandoned += 1
        self.traffic[name].counts.abandoned += 1

    def _subject(self, request: ChatRequest) -> Subject:
        question = request.question
        match self.config.models[request.model]:
            case Assistant() | Control():
                subject: Subject | None = self._sheets.recognise(question)
            case Judge():
                subject = read_judging_prompt(request)
            case Replay():
                subject = self._library[request.model].recognise(question)
            case other:
                assert_never(other)
        if subject is None:
            self.traffic[request.model].counts.unknown_inputs += 1
            self.overall.counts.unknown_inputs += 1
            return question
        return subject

    def _count_attempt(self, model: str, about: str, night: int) -> int:
        """How often this was asked before on this night."""
        if night != self._asked_on:
            self._asked.clear()
            self._asked_on = night
        self._asked[model, about] += 1
        return self._asked[model, about] - 1

    def _draft(
        self, request: ChatRequest, state: Tonight, subject: Subject, night: int, attempt: int
    ) -> Draft | Fault:
        seed = self.config.seed
        match self.config.models[request.model], subject:
            case Assistant(), AnswerSheet() as sheet:
                return Draft(answer(seed, state, sheet, night, attempt))
            case Control(), AnswerSheet() as sheet:
                return Draft(steady_reply(state, request, sheet))
            case Control(), _:
                return Draft(steady_reply(state, request, None))
            case Judge(), Judged() as judged:
                return Draft(verdict(seed, state, judged, night, attempt))
            case Replay(), Tape() as tape:
                recording = tape.play(night, attempt)
                if recording is not None:
                    return Draft(
                        recording.response,
                        recording.input_tokens,
                        recording.output_tokens,
                        recording.latency_seconds,
                    )
        if isinstance(self.config.models[request.model], Replay):
            return faults.nothing_recorded(request.model, night)
        return Draft(small_talk(request.question))


def _read_suite(path: Path) -> SuiteContent:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InvalidInput(
            "suites", f"{path} cannot be read ({error.strerror}).", "Correct the path."
        ) from None
    return parse_suite(str(path), content)


def _name(subject: Subject) -> str:
    match subject:
        case AnswerSheet():
            return subject.question.input
        case Tape():
            return subject.input
        case Judged():
            return f"{subject.question}\x1f{subject.answer}"
        case str():
            return subject
        case other:
            assert_never(other)


def _with_recorded_models(config: SimulatorConfig, library: Library) -> SimulatorConfig:
    """Add the models that are only recorded; refuse a replay without recordings, and the reverse."""
    for name, model in config.models.items():
        if isinstance(model, Replay) != (name in library):
            problem = (
                "it has no recorded answers." if isinstance(model, Replay) else "it has recorded answers."
            )
            raise InvalidInput(
                f"models.{name}", problem, "`kind: replay` goes with rows of the `replay` file."
            )
    recorded = {name: Replay(kind="replay") for name in library if name not in config.models}
    return config.model_copy(update={"models": {**config.models, **recorded}})
