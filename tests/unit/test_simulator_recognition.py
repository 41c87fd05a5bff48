"""A known question is found in whatever surrounds it."""

from hypothesis import given
from hypothesis import strategies as st

from services.simulator.recognition import Recogniser

TEXTS = st.text(alphabet="ab \n?é", min_size=1, max_size=60).filter(str.strip)


def test_an_exact_input_is_found() -> None:
    assert Recogniser({"What is 2 + 2?": "four"}).recognise("What is 2 + 2?") == "four"


def test_an_input_inside_a_template_is_found() -> None:
    long = "Name the capital of the country that lies between France and Portugal."
    found = Recogniser({long: "Madrid", "Name": "no"}).recognise(f"Be brief.\n\n{long}\n\nAnswer:")
    assert found == "Madrid"


def test_the_longest_of_several_inputs_counts() -> None:
    short, long = "What is the sum of 1 and 10?", "What is the sum of 1 and 10? Add 5 to it."
    assert Recogniser({short: 11, long: 16}).recognise(f"Q: {long}") == 16


def test_an_unknown_text_is_nothing() -> None:
    assert Recogniser({"What is 2 + 2?": "four"}).recognise("What is 3 + 3?") is None


@given(st.sets(TEXTS, min_size=1, max_size=8), st.text(max_size=30), st.text(max_size=30), st.data())
def test_the_input_found_is_the_longest_that_the_text_contains(
    inputs: set[str], before: str, after: str, data: st.DataObject
) -> None:
    inputs = {text.strip() for text in inputs}
    text = before + data.draw(st.sampled_from(sorted(inputs))) + after
    found = Recogniser({known: known for known in inputs}).recognise(text)
    assert found is not None
    assert found in text
    assert len(found) == max(len(known) for known in inputs if known in text)
