"""A gate's questions as JUnit XML: one suite per model, one case per question.

What broke is a failure, what was not measured an error, what only one run has is skipped: three things that
no reader should take for each other. What was wrong before as well is none of them.
"""

import re
from collections import Counter
from collections.abc import Sequence
from xml.etree import ElementTree as Xml

from services.cli.gate.outcome import GateOutcome
from services.cli.gate.words import FINDINGS
from services.cli.numbers import score
from shared.domain.figures.gate_cases import Case, Outcome

SHOWN_CHARACTERS = 4000
# What XML 1.0 can't hold, not even escaped; and the carriage return, which readers turn into something else.
UNWRITABLE = re.compile("[^\t\n\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
MESSAGES = {
    Outcome.BROKE: "It was right and is wrong now.",
    Outcome.NOT_MEASURED: "The candidate was not measured here.",
    Outcome.ONE_SIDED: "Only one of the two runs has a score here.",
}
ELEMENTS = {Outcome.BROKE: "failure", Outcome.NOT_MEASURED: "error", Outcome.ONE_SIDED: "skipped"}


def write_junit(outcome: GateOutcome) -> str:
    """The document. A gate without questions to tell of has one case, an error that says why."""
    root = Xml.Element("testsuites", name="driftwarden gate")
    models = dict.fromkeys(case.model for case in outcome.cases)
    for model in models:
        _add_suite(root, model, [case for case in outcome.cases if case.model == model], outcome)
    if not models:
        _add_reason(root, outcome)
    for total in ("tests", "failures", "errors", "skipped"):
        root.set(total, str(sum(int(suite.get(total, "0")) for suite in root)))
    Xml.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + Xml.tostring(root, encoding="unicode") + "\n"


def _add_suite(root: Xml.Element, model: str, cases: Sequence[Case], outcome: GateOutcome) -> None:
    seen = Counter(case.outcome for case in cases)
    seconds = [case.after.latency_seconds or 0.0 for case in cases if case.after]
    suite = Xml.SubElement(
        root,
        "testsuite",
        name=_writable(model),
        tests=str(len(cases)),
        failures=str(seen[Outcome.BROKE]),
        errors=str(seen[Outcome.NOT_MEASURED]),
        skipped=str(seen[Outcome.ONE_SIDED]),
        time=f"{sum(seconds):.3f}",
    )
    _add_properties(suite, outcome)
    for case in cases:
        _add_case(suite, case)


def _add_properties(suite: Xml.Element, outcome: GateOutcome) -> None:
    told = {"verdict": FINDINGS[outcome.finding]}
    for name, run in (("baseline", outcome.baseline), ("candidate", outcome.candidate)):
        if run is not None:
            told[name] = run["id"]
    properties = Xml.SubElement(suite, "properties")
    for name, value in told.items():
        Xml.SubElement(properties, "property", name=name, value=value)


def _add_case(suite: Xml.Element, case: Case) -> None:
    seconds = case.after.latency_seconds if case.after else None
    element = Xml.SubElement(
        suite,
        "testcase",
        name=_writable(case.question),
        classname=_writable(f"{case.model}.{case.category}"),
        time=f"{seconds or 0.0:.3f}",
    )
    if case.outcome is Outcome.HELD:
        return
    message = MESSAGES[case.outcome]
    if case.outcome is Outcome.NOT_MEASURED and case.after is not None:
        message = case.after.error or message
    about = Xml.SubElement(element, ELEMENTS[case.outcome], message=_writable(message))
    if case.outcome is Outcome.BROKE:
        about.set("type", "broke")
        about.text = _writable(_tell(case))
    elif case.outcome is Outcome.NOT_MEASURED:
        about.set("type", "not measured")


def _tell(case: Case) -> str:
    assert case.before is not None
    assert case.after is not None
    return (
        f"Question:\n{case.input}\n\n"
        f"Before, scored {score(case.before.score)}:\n{case.before.response or ''}\n\n"
        f"Now, scored {score(case.after.score)}:\n{case.after.response or ''}"
    )


def _add_reason(root: Xml.Element, outcome: GateOutcome) -> None:
    suite = Xml.SubElement(root, "testsuite", name="driftwarden gate", tests="1", failures="0", skipped="0")
    suite.set("errors", "1")
    case = Xml.SubElement(suite, "testcase", name="gate", classname="driftwarden", time="0")
    message = _writable(" ".join(outcome.notes) or FINDINGS[outcome.finding])
    Xml.SubElement(case, "error", message=message, type="not measured")


def _writable(text: str) -> str:
    plainer = text.replace("\r\n", "\n").replace("\r", "\n")
    shown = UNWRITABLE.sub("\N{REPLACEMENT CHARACTER}", plainer)
    return shown if len(shown) <= SHOWN_CHARACTERS else shown[: SHOWN_CHARACTERS - 1] + "…"
