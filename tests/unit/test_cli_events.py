"""Server-sent events are read as they are written, heartbeats and broken ends included."""

from hypothesis import given
from hypothesis import strategies as st

from services.cli.events import Event, read_events

DATA = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1)
NAMES = st.sampled_from(["progress", "finished"])


@given(st.lists(st.builds(Event, NAMES, DATA)))
def test_what_is_written_is_read(events: list[Event]) -> None:
    lines = [line for event in events for line in (f"event: {event.name}", f"data: {event.data}", "")]
    assert list(read_events(lines)) == events


def test_heartbeats_are_no_events() -> None:
    assert list(read_events([": ping", "", "event: progress", "data: {}", "", ": ping"])) == [
        Event("progress", "{}")
    ]


def test_an_event_that_is_cut_off_is_dropped() -> None:
    assert list(read_events(["event: progress", "data: 1", "", "event: finished", "data: 2"])) == [
        Event("progress", "1")
    ]


def test_data_over_several_lines_is_one_event() -> None:
    assert list(read_events(["data:a", "data: b", ""])) == [Event("message", "a\nb")]
