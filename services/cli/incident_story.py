"""An incident in plain words, for someone who knows the product and not the statistics."""

from collections.abc import Iterator
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from services.cli.ids import shorten
from services.cli.numbers import count, moment, plain, points, points_interval
from services.cli.render import facts, more, sentence, state, table
from services.cli.server import Json
from shared.domain.telling.wording import CAUSES, NOTHING_CHANGED, name_stream, tell_certainty

SHOWN_FLIPS = 3
SHOWN_CHARACTERS = 300
_EVENTS = {
    "opened": "opened",
    "joined": "more moved",
    "reminded": "reminded",
    "recovered": "recovered",
    "outage_over": "outage over",
    "left": "asked no more",
    "acknowledged": "acknowledged",
    "resolved": "resolved",
    "dismissed": "dismissed as a false alarm",
    "baseline_accepted": "new baseline accepted",
}
_ACTS = {
    "acknowledge": "you look after it",
    "resolve": "its cause is gone",
    "dismiss": "it is a false alarm",
    "accept-baseline": "this is the new normal",
}


def describe_incidents(page: Json) -> Iterator[RenderableType]:
    if not page["items"]:
        yield sentence("There is no such incident.")
        return
    yield table(
        ["incident", "state", "severity", "cause", "schedule", "~what happened"],
        [
            [
                shorten(each["id"]),
                _state(each),
                each["severity"],
                each["cause"],
                each["schedule"],
                each["headline"],
            ]
            for each in page["items"]
        ],
    )
    if page.get("next_cursor"):
        yield more()


def tell_story(incident: Json) -> Iterator[RenderableType]:
    """What happened, since when, how sure that is, who probably did it, where, and what to do."""
    found = incident["findings"]
    yield Text(plain(incident["headline"]), style="bold")
    yield facts(
        [
            ("incident", incident["id"]),
            ("state", _state(incident)),
            ("severity", incident["severity"]),
            ("schedule", f"{incident['schedule']}, suite {incident['suite']}"),
            ("since", _since(found)),
            ("noticed", f"{found['night']}, by {name_stream(found['stream'])}"),
            ("size", _size(found)),
            ("also moved", _also_moved(found)),
        ]
    )
    yield _section("How sure is that?", _how_sure(found))
    yield _section("Who did it?", [CAUSES[found["cause"]], *_reasons(found)])
    yield _section(
        "What changed on your side?", found["your_side"] or ["Nothing that we know of, at that time."]
    )
    if found["categories"]:
        yield _describe_categories(found)
    yield from _describe_flips(found)
    yield _describe_events(incident)
    if incident["acts"]:
        yield _describe_acts(incident)


def _state(incident: Json) -> Text:
    if incident["status"] == "closed":
        return Text(f"closed, {str(incident['resolution']).replace('_', ' ')}")
    return state(incident["status"])


def _section(title: str, lines: Any) -> RenderableType:
    return Group(Text(title, style="bold"), *(sentence(f"  {line}") for line in lines))


def _since(found: Json) -> str:
    if found["since"] is None:
        return "not known"
    if found["evidence_ratio"] is None:
        return str(found["since"])
    if found["since_earliest"] in (None, found["since_latest"]):
        return f"{found['since']}; no other night fits nearly as well"
    span = f"{found['since_earliest']} to {found['since_latest']}"
    return f"{found['since']}; any night from {span} fits nearly as well"


def _size(found: Json) -> str:
    size = found["size"]
    if size is None or (size["value"] is None and size["ratio"] is None):
        return "not measured"
    if size["value"] is None:
        return f"{size['ratio']:.2f} times what it was, estimated so far"
    said = f"{points(size['value'])} points"
    if size["lower"] is not None:
        said += f" (95 %: {points_interval(size['lower'], size['upper'])})"
    return said + (f" on {count(size['units'])} questions" if size["units"] else "") + ", estimated so far"


def _also_moved(found: Json) -> str | None:
    others = [name_stream(stream) for stream in found["streams"] if stream != found["stream"]]
    return ", ".join(others) or None


def _how_sure(found: Json) -> Iterator[str]:
    return tell_certainty(
        found["stream"],
        found["evidence_ratio"],
        found["nights_per_false_alarm"],
        found["watched_models"],
        found["overdispersion"],
        is_noisy=found["is_noisy"],
    )


def _reasons(found: Json) -> Iterator[str]:
    """All but what the section on the user's own side says."""
    yield from (one for one in found["because"] if one not in (*found["your_side"], NOTHING_CHANGED))


def _describe_categories(found: Json) -> RenderableType:
    return table(
        ["~category", ">points", "95 %", "finding"],
        [
            [
                each["category"],
                points(each["value"]),
                points_interval(each["lower"], each["upper"]),
                "worse" if each["is_worse"] else "no change found",
            ]
            for each in found["categories"]
        ],
        title="Where?",
    )


def _describe_flips(found: Json) -> Iterator[RenderableType]:
    counts = {each["unit"]: each for each in found["questions"]}
    shown = found["answers"][:SHOWN_FLIPS]
    if not shown:
        return
    yield Text(f"Questions that flipped ({len(shown)} of {len(found['questions'])})", style="bold")
    for answer in shown:
        yield facts(
            [
                ("question", _name_question(answer, counts.get(answer["unit"]))),
                ("asked", _cut(answer["input"])),
                ("right is", _cut(answer["target"])),
                *_side("before", answer["before"]),
                *_side("since", answer["after"]),
            ]
        )


def _name_question(answer: Json, counts: Json | None) -> str:
    if counts is None:
        return str(answer["question"])
    before = f"{counts['passed_before']} of {counts['scored_before']} answers before"
    since = f"{counts['passed_after']} of {counts['scored_after']} since"
    return f"{answer['question']} ({counts['category']}): right in {before}, in {since}"


def _side(name: str, answer: Json | None) -> Iterator[tuple[str, str]]:
    if answer is None:
        yield name, "no such answer is kept"
        return
    yield name, f"{_cut(answer['response'] or 'no answer')} ({answer['night']})"
    if answer["reason"]:
        yield "because", _cut(answer["reason"])


def _describe_events(incident: Json) -> RenderableType:
    return table(
        ["when (UTC)", "who", "what", "~note"],
        [
            [moment(event["at"]), event["by"], _EVENTS[event["kind"]], _note(event)]
            for event in incident["events"]
        ],
        title="What happened",
    )


def _note(event: Json) -> str:
    joined = ", ".join(name_stream(stream) for stream in event["facts"].get("streams", ()))
    begins = event["facts"].get("night")
    return " ".join(filter(None, (joined, f"from {begins} on" if begins else "", event["note"])))


def _describe_acts(incident: Json) -> RenderableType:
    short = shorten(incident["id"])
    return Group(
        Text("What you can do", style="bold"),
        facts((f"  driftwarden incidents {act} {short}", _ACTS[act]) for act in incident["acts"]),
    )


def _cut(text: str) -> str:
    line = plain(text)
    return line if len(line) <= SHOWN_CHARACTERS else f"{line[:SHOWN_CHARACTERS].rstrip()} …"
