"""What people read: the order of a message, what each kind of it says, and that no text breaks its form."""

from dataclasses import fields, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slack_sdk.models.blocks import Block

from shared.domain.drift.detections import Subject
from shared.domain.telling.alerts import (
    Alert,
    Flip,
    Gathering,
    IncidentLine,
    ModelWeek,
    Notice,
    ScheduleWeek,
    Trial,
    Weekly,
)
from shared.domain.telling.email_message import build_email
from shared.domain.telling.findings import Where
from shared.domain.telling.incidents import EventKind
from shared.domain.telling.message import Link, Message, Passage, Quote, write_text
from shared.domain.telling.messages import PERHAPS_AGAIN, tell
from shared.domain.telling.slack_message import LONGEST_HEADER, LONGEST_TEXT, MOST_BLOCKS, build_slack, escape
from shared.notices import read_notice, write_notice
from tests.unit.alerting import DRIFT, INCIDENT, OUTAGE, URL, alert

WEEK = Weekly(
    date(2026, 1, 5),
    date(2026, 1, 12),
    (
        ScheduleWeek(
            "nightly", "golden", 6, 1, 4.2,
            (
                ModelWeek("atlas-large", "alert", 0.741, 0.70, 0.78, 0.804, 1.0),
                ModelWeek("atlas-small", "no_data", None, None, None, None, None),
            ),
        ),
    ),
    (
        IncidentLine(
            INCIDENT, Subject.MODEL, "atlas-large", "golden", DRIFT.headline, "major", "open",
            DRIFT.opened_at, None, True,
        ),
    ),
)  # fmt: skip
NOTICES: list[Notice] = [
    *(alert(event=event, by="Ada", note="Seen.") for event in EventKind),
    alert(event=EventKind.JOINED, joined=("latency", "category:math")),
    OUTAGE,
    replace(OUTAGE, event=EventKind.OUTAGE_OVER),
    alert(subject=Subject.JUDGE, model="sim-judge"),
    alert(subject=Subject.HARNESS, severity="critical", stream="controls", evidence_ratio=None),
    Gathering(EventKind.OPENED, "nightly", "golden", date(2026, 1, 12), (DRIFT, DRIFT, OUTAGE, DRIFT)),
    WEEK,
    Weekly(date(2026, 1, 5), date(2026, 1, 12), ()),
    Trial("team", "Ada", datetime(2026, 1, 12, tzinfo=UTC)),
]


def lines_of(message: Message) -> list[str]:
    return write_text(message).splitlines()


def test_a_drift_is_told_in_order_of_what_people_ask() -> None:
    assert lines_of(tell(DRIFT, URL))[:26] == [
        "atlas-large: accuracy fell by 6.3 points (95 %: 4.5 to 8.1), since 2026-01-11.",
        "",
        "Who did it?",
        "Probably the model itself.",
        "No judge takes part: deterministic scorers see the change.",
        "Nothing that we know of changed on your side at that time.",
        "",
        "How sure is that?",
        "On the night of the alarm the evidence was 3.2 times what an alarm takes.",
        "Chance alone raises at most one alarm in 365 nights, over all 11 watched models.",
        "",
        "Where?",
        "coding: −19.4 points (95 %: −25.0 to −13.0)",
        "3 of 17 questions that flipped:",
        "",
        "cod-0 (coding): right in 24 of 24 answers before, in 0 of 6 since",
        "  asked: What is 2 + 2?",
        "  right is: 4",
        "  before, 2026-01-10: 4",
        "  since, 2026-01-12: 5",
        "",
        "cod-1 (coding): right in 24 of 24 answers before, in 0 of 6 since",
        "  asked: What is 2 + 2?",
        "  right is: 4",
        "  before, 2026-01-10: 4",
        "  since, 2026-01-12: 5",
    ]
    assert lines_of(tell(DRIFT, URL))[-2:] == [
        f"The incident: {URL}/incidents/{INCIDENT}",
        f"The night's run: {URL}/runs/{DRIFT.run}",
    ]


def test_missing_answers_are_told_as_such_and_without_statistics() -> None:
    message = tell(OUTAGE, URL)
    assert message.title == "Not measured: atlas-large"
    assert "Missing answers are no score of 0, and they are no drift." in lines_of(message)
    assert not any("false alarm" in line or "chance alone" in line.lower() for line in lines_of(message))


@pytest.mark.parametrize(
    ("event", "title", "says"),
    [
        (EventKind.JOINED, "More moved: atlas-large", "Now moved as well: latency."),
        (EventKind.REMINDED, "Still open: atlas-large", "opened on 2026-01-12, 7 days ago."),
        (EventKind.RECOVERED, "Recovered: atlas-large", "back where they were before"),
        (EventKind.OUTAGE_OVER, "Outage over: atlas-large", "can be measured again"),
        (EventKind.LEFT, "Asked no more: atlas-large", "nothing is known of it from now on"),
        (EventKind.ACKNOWLEDGED, "Acknowledged: atlas-large", "Ada looks after it"),
        (EventKind.RESOLVED, "Resolved: atlas-large", "Ada closed it: its cause is gone."),
        (EventKind.DISMISSED, "Dismissed as a false alarm: atlas-large", "Ada closed it as a false alarm."),
        (EventKind.BASELINE_ACCEPTED, "New baseline accepted: atlas-large", "is its new normal"),
    ],
)
def test_each_transition_has_its_own_words(event: EventKind, title: str, says: str) -> None:
    later = DRIFT.at + timedelta(days=7)
    message = tell(alert(event=event, at=later, by="Ada", joined=("latency",)), URL)
    assert message.title == title
    assert says in write_text(message)
    assert message.is_good == (event in (EventKind.RECOVERED, EventKind.OUTAGE_OVER))


def test_what_changed_on_the_users_side_is_said_once() -> None:
    changed = "The prompt of suite golden changed."
    said = lines_of(tell(alert(your_side=(changed,), because=(changed, "More.")), URL))
    assert said.count(changed) == 1
    assert not any(line.startswith("Nothing that we know of") for line in said)


def test_a_week_tells_what_was_not_measured_as_such() -> None:
    said = lines_of(tell(WEEK, URL))
    assert "6 nights, 1 missed, 4.20 USD" in said
    assert "atlas-large: 74.1 % (70.0 to 78.0), −6.3 points to the week before; alert" in said
    assert "atlas-small: not measured; no data" in said


@pytest.mark.parametrize(
    "notice", NOTICES, ids=lambda notice: f"{notice.type}-{getattr(notice, 'event', '')}"
)
def test_every_notice_is_a_message_that_slack_takes_and_comes_back_from_json(notice: Notice) -> None:
    payload = build_slack(tell(notice, URL), aside=PERHAPS_AGAIN)
    check_slack(payload.blocks)
    assert PERHAPS_AGAIN.split(":", maxsplit=1)[0] in str(payload.blocks[-1])
    assert read_notice(write_notice(notice)) == notice


def check_slack(blocks: Any) -> None:
    """Whether Slack's own models accept the blocks, and its limits hold."""
    assert 1 <= len(blocks) <= MOST_BLOCKS
    parsed = Block.parse_all(list(blocks))
    assert len(parsed) == len(blocks)
    for block, written in zip(parsed, blocks, strict=True):
        assert block is not None
        block.validate_json()
        assert block.to_dict()["type"] == written["type"]
    for text in texts_of(blocks):
        assert 1 <= len(text.encode("utf-16-le", "surrogatepass")) // 2 <= LONGEST_TEXT
    assert len(blocks[0]["text"]["text"]) <= LONGEST_HEADER


def texts_of(found: Any, kind: str | None = None) -> list[str]:
    match found:
        case {"type": "mrkdwn" | "plain_text" as its_kind, "text": str() as text}:
            return [text] if kind in (None, its_kind) else []
        case dict():
            return [one for value in found.values() for one in texts_of(value, kind)]
        case list() | tuple():
            return [one for value in found for one in texts_of(value, kind)]
        case _:
            return []


wild = st.text(max_size=300) | st.sampled_from(
    [
        "<!channel>",
        "<@U1>",
        "&" * 5000,
        "x" * 9000,
        "*b* _i_ ~s~ `c`",
        "🦊" * 4000,
        "\u202eabc\x00\x1b[31m",
        "\n" * 99,
    ]
)
lines = st.lists(wild, max_size=60).map(tuple)
quotes = st.lists(
    st.builds(Quote, wild, st.lists(st.tuples(wild, wild), max_size=5).map(tuple)), max_size=40
).map(tuple)
messages = st.builds(
    Message,
    wild,
    wild,
    st.lists(st.builds(Passage, wild, lines, quotes), max_size=12).map(tuple),
    st.lists(
        st.builds(Link, st.just("The run"), wild.map(lambda text: f"https://x.example/{text}")), max_size=8
    ).map(tuple),
)


@settings(max_examples=60, deadline=None)
@given(messages, wild)
def test_no_text_breaks_slacks_limits_or_speaks_in_its_markup(message: Message, aside: str) -> None:
    payload = build_slack(message, aside=aside)
    check_slack(payload.blocks)
    for text in [payload.text, *texts_of(payload.blocks, "mrkdwn")]:
        assert "<" not in text
        assert ">" not in text
        assert all(part.startswith(("amp;", "lt;", "gt;")) for part in text.split("&")[1:])


@given(wild)
def test_escaped_text_reads_as_it_was(text: str) -> None:
    shown = escape(text).replace("\N{WORD JOINER}", "")
    for written, meant in (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")):
        shown = shown.replace(written, meant)
    assert [char for char in shown if char.isprintable() and char != " "] == [
        char for char in text if char.isprintable() and char != " "
    ]


@settings(max_examples=60, deadline=None)
@given(messages)
def test_no_text_becomes_markup_of_an_email(message: Message) -> None:
    from html.parser import HTMLParser

    tags: set[str] = set()

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: Any) -> None:
            tags.add(tag)
            assert not [name for name, _ in attrs if name.startswith("on") or name == "src"]

    email = build_email(message)
    Reader().feed(email.html)
    assert tags <= {
        "html",
        "meta",
        "title",
        "body",
        "h1",
        "h2",
        "p",
        "strong",
        "ul",
        "li",
        "dl",
        "dt",
        "dd",
        "a",
        "em",
    }
    assert email.subject.isprintable()


def test_hostile_answers_are_shown_and_do_nothing() -> None:
    hostile = "<!channel> <https://evil.example|click> *bold* <script>alert(1)</script>"
    flip = Flip("q", "c", 1, 1, 0, 1, hostile, hostile, hostile, date(2026, 1, 1), hostile, date(2026, 1, 2))
    message = tell(alert(flips=(flip,), categories=(Where(hostile, -0.2, -0.3, -0.1, True),)), URL)
    assert "<!channel>" not in "".join(texts_of(build_slack(message).blocks, "mrkdwn"))
    assert "<script>" not in build_email(message).html


def test_alerts_hold_only_what_json_can_say() -> None:
    assert {one.name for one in fields(Alert)} == set(write_notice(DRIFT))
