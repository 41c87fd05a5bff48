"""The five seconds: is anything drifting, how sure is that, since when, and who moved."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from services.api.dashboard import numbers
from services.api.dashboard.views.fleet import Fleet, Mark
from services.api.dashboard.views.nights import incident_night
from services.api.dashboard.views.streams import name_briefly, tell_worse
from shared.db.incidents import Incident
from shared.domain.causes.blame import Cause
from shared.domain.drift.detections import Subject

MOST_TOLD = 3
FEW_NIGHTS = 14  # before, only large changes can cross the alarm line
_COUNTS = ("No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine")
WHO = {
    Cause.MODEL: ("The model", "nothing else that was measured explains it"),
    Cause.JUDGE: ("The judge", "the same answers get other scores"),
    Cause.MIXED: ("Model and judge", "both moved"),
    Cause.UNDETERMINED: ("Not told yet", "the data can't tell model and judge apart yet"),
    Cause.HARNESS: ("The harness", "a model that cannot change answered differently"),
    Cause.YOU: ("Your configuration", "something on your side changed that night"),
    Cause.OUTAGE: ("An outage", "answers are missing"),
    Cause.SERVICE: ("The service", "how it is served changed, not what it says"),
}


@dataclass(frozen=True, slots=True)
class Fact:
    question: str
    answer: str
    detail: str
    mark: Mark | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """One of several incidents."""

    address: str
    mark: Mark
    headline: str


@dataclass(frozen=True, slots=True)
class Lede:
    """`told` is for several incidents, `facts` for one or none."""

    headline: str
    story: tuple[str, ...]
    facts: tuple[Fact, ...] = ()
    told: tuple[Told, ...] = ()
    more: int = 0
    incident: str | None = None
    flips: int = 0


def write_lede(fleet: Fleet, incidents: Sequence[Incident], nights: int, budget: float) -> Lede:
    """What the first screen says. `nights`: measured so far; `budget`: nights per false alarm."""
    drifting = [one for one in incidents if one.cause != Cause.OUTAGE]
    if len(drifting) == 1:
        return _tell_one(drifting[0], budget)
    if len(incidents) > 1:
        return _tell_several(incidents)
    if incidents:
        return _tell_one(incidents[0], budget)
    if not any(row.accuracy is not None for row in fleet.rows):
        return Lede(
            "Nothing was measured tonight",
            ("No model gave an answer that could be scored. That isn't a score of 0, and it isn't drift.",),
        )
    if nights < 2:
        told = f"{numbers.many(nights, 'night')} measured. Drift needs at least 2;"
        return Lede("Too early to speak of drift", (f"{told} small changes need about {FEW_NIGHTS}.",))
    return _tell_calm(fleet, nights, budget)


def headline_of(incident: Incident) -> str:
    """What an incident comes to, as a headline."""
    since = incident_night(incident)
    stream = incident.findings["stream"]
    if incident.subject is not Subject.MODEL or since is None or stream == "coverage":
        return incident.headline.rstrip(".")
    return f"{incident.model} {tell_worse(stream)} since {numbers.long_night(since)}"


def tell_size(incident: Incident) -> str:
    """How far and where, in one sentence; empty where nothing could be sized."""
    found = incident.findings
    size = found.get("size") or {}
    if size.get("ratio") is not None:
        return f"It is {size['ratio']:.2f} times what it was, estimated so far."
    if size.get("value") is None:
        return ""
    verb = "lost" if size["value"] < 0 else "gained"
    low, high = (
        sorted((abs(size["lower"]), abs(size["upper"])))
        if size["lower"] * size["upper"] > 0
        else (None, None)
    )
    spread = (
        f" ({numbers.size(low)} to {numbers.size(high)}, 95{numbers.HARD_SPACE}%)" if low is not None else ""
    )
    worse = [one["category"] for one in found.get("categories") or () if one["is_worse"]]
    places = f", most of them in {join(worse)}" if worse and len(worse) < len(found["categories"]) else ""
    return f"It {verb} {numbers.size(size['value'])} points{spread} so far{places}."


def join(words: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1]))) if words else ""


def _tell_one(incident: Incident, budget: float) -> Lede:
    found = incident.findings
    return Lede(
        headline_of(incident),
        tuple(filter(None, (tell_size(incident), *found["because"][:3]))),
        (
            _tell_whether(incident),
            _tell_certainty(found, budget),
            _tell_date(incident),
            Fact("Who moved?", *WHO[Cause(incident.cause)]),
        ),
        incident=str(incident.id),
        flips=len(found.get("questions") or ()),
    )


def _tell_whether(incident: Incident) -> Fact:
    size = incident.findings.get("size") or {}
    extent = incident.severity
    if size.get("value") is not None:
        value, lower, upper = (numbers.points(size[name]) for name in ("value", "lower", "upper"))
        extent = f"{value} points, {lower} to {upper}"
    elif size.get("ratio") is not None:
        extent = f"{name_briefly(incident.findings['stream'])} ×{size['ratio']:.2f}"
    if incident.cause == Cause.OUTAGE:
        return Fact("Is anything drifting?", "Not measured", extent, Mark.UNMEASURED)
    return Fact("Is anything drifting?", "Yes, one thing", extent, Mark.DRIFTING)


def _tell_certainty(found: Mapping[str, Any], budget: float) -> Fact:
    ratio = found.get("evidence_ratio")
    if not ratio:
        return Fact("How sure?", "Seen, not inferred", "this is counted and needs no statistics")
    nights = numbers.count(round(budget))
    told = f"by {numbers.evidence(ratio)}; budget: 1 false alarm in {nights} nights"
    return Fact("How sure?", "Past the alarm line", told)


def _tell_date(incident: Incident) -> Fact:
    found, since = incident.findings, incident_night(incident)
    if since is None:
        return Fact("Since when?", numbers.night(incident.opened_at.date()), "the night it was first seen")
    early, late = (
        date.fromisoformat(found[name] or str(since)) for name in ("since_earliest", "since_latest")
    )
    told = f"between {numbers.night(early)} and {numbers.night(late)}"
    return Fact(
        "Since when?", numbers.night(since), "no other night fits nearly as well" if early == late else told
    )


def _tell_several(incidents: Sequence[Incident]) -> Lede:
    newest = sorted(incidents, key=lambda one: one.opened_at, reverse=True)
    models = {one.model for one in incidents if one.subject is Subject.MODEL and one.cause != Cause.OUTAGE}
    count = len(incidents)
    if len(models) == count:
        headline = f"{_spell(count)} models have changed for the worse"
    else:
        headline = f"{_spell(count)} incidents are open"
    told = tuple(
        Told(
            f"/incidents/{one.id}",
            Mark.UNMEASURED if one.cause == Cause.OUTAGE else Mark.DRIFTING,
            one.headline,
        )
        for one in newest[:MOST_TOLD]
    )
    story = "Each has its own date, size and probable cause."
    return Lede(headline, (story,), told=told, more=max(0, count - MOST_TOLD))


def _tell_calm(fleet: Fleet, nights: int, budget: float) -> Lede:
    measured = [row for row in fleet.rows if row.accuracy is not None]
    sharpest = min(
        (row for row in measured if row.detectable), key=lambda row: row.detectable or 1, default=None
    )
    nearest = max((row for row in measured if row.evidence), key=lambda row: row.evidence or 0, default=None)
    models, so_far = numbers.many(len(measured), "model"), numbers.many(nights, "night")
    story = [f"{models} {'was' if len(measured) == 1 else 'were'} measured."]
    missed = "not known"
    if sharpest is not None:
        missed = f"under {numbers.size(sharpest.detectable)} points"
        least = f"{numbers.size(sharpest.detectable)} points ({sharpest.model})"
        story.append(f"The smallest drop that one more night would show is {least}.")
    if nights < FEW_NIGHTS:
        story.append(f"{so_far} so far; small changes need about {FEW_NIGHTS}.")
    near = Fact("What is nearest?", "nothing", "no stream has evidence yet")
    if nearest is not None:
        told = f"of the alarm line: {nearest.model}, {nearest.stream}"
        near = Fact("What is nearest?", numbers.evidence(nearest.evidence), told)
    rate = f"1 in {numbers.count(round(budget))} nights"
    return Lede(
        "Nothing is drifting",
        tuple(story),
        (
            Fact("Is anything drifting?", "No change found", f"in {so_far} of {models}"),
            Fact("How sure?", rate, "is how rarely this may alarm for nothing"),
            near,
            Fact("What could be missed?", missed, "a smaller drop takes more nights to show"),
        ),
    )


def _spell(count: int) -> str:
    return _COUNTS[count] if count < len(_COUNTS) else str(count)
