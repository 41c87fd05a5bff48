"""Controls: deterministic models that cannot drift. If their answers change, the harness has."""

from collections.abc import Mapping
from dataclasses import dataclass

from shared.domain.causes.suspects import changed_controls

NAMED_QUESTIONS = 5


@dataclass(frozen=True, slots=True)
class ControlAnswer:
    """What a control answered to a question, as a digest of the bytes of all its repeats."""

    question: str
    digest: str


@dataclass(frozen=True, slots=True)
class ControlFinding:
    """How many answers of a control could be compared with those before, and the questions that changed."""

    compared: int
    changed: tuple[str, ...]


def compare_control(
    before: Mapping[str, ControlAnswer], tonight: Mapping[str, ControlAnswer]
) -> ControlFinding:
    """Compare a control's answers, byte for byte, by unit: an edited question is another one."""
    changed = changed_controls(
        {unit: answer.digest for unit, answer in before.items()},
        {unit: answer.digest for unit, answer in tonight.items()},
    )
    compared = len(before.keys() & tonight.keys())
    return ControlFinding(compared, tuple(tonight[unit].question for unit in changed))


def tell_control(findings: Mapping[str, ControlFinding]) -> str:
    """Whether the harness moved, in a sentence or two, by all controls of a night."""
    if not findings:
        return "No control is watched, so a change of the harness would look like one of the models."
    moved = {name: finding for name, finding in findings.items() if finding.changed}
    if moved:
        told = "; ".join(_tell_moved(name, finding) for name, finding in moved.items())
        return f"The harness moved: {told}. Every verdict of this night may be its doing."
    compared = sum(finding.compared for finding in findings.values())
    if not compared:
        return "No answer of the control could be compared, so whether the harness moved is not known."
    answers = "1 answer" if compared == 1 else f"{compared} answers"
    return f"The harness did not move: {answers} of the control, the same byte for byte."


def _tell_moved(name: str, finding: ControlFinding) -> str:
    named = ", ".join(finding.changed[:NAMED_QUESTIONS])
    rest = len(finding.changed) - NAMED_QUESTIONS
    more = f" and {rest} more" if rest > 0 else ""
    answered = f"{len(finding.changed)} of {finding.compared} questions"
    return f"{name} answered {answered} differently ({named}{more})"
