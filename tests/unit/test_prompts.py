"""Prompts: the question goes in once, in its own words; what can't be asked is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.errors import InvalidInput
from shared.domain.questions.prompts import Message, Prompt, check_prompt, split_reference
from tests.factories import make_question

SUPPORT = Prompt(
    "support",
    (
        Message("system", "You answer for {{company}}, on {{ category }}."),
        Message("user", "What is 1 + 1?"),
        Message("assistant", "2"),
        Message("user", "{{input}} Answer as {{company}} would, in JSON such as {{}} or { {input} }."),
    ),
    {"company": "Acme"},
)


def test_a_question_is_put_among_instructions_and_examples() -> None:
    system, _, example, user = check_prompt(SUPPORT).ask(make_question(4))
    assert system == {"role": "system", "content": "You answer for Acme, on math."}
    assert example == {"role": "assistant", "content": "2"}
    assert user["content"] == "What is 4 + 4? Answer as Acme would, in JSON such as {{}} or { {input} }."


@given(st.text())
def test_what_a_question_says_is_never_read_as_a_template(words: str) -> None:
    plain = Prompt("plain", (Message("user", "<{{input}}>"),))
    assert plain.ask(make_question(input=words)) == [{"role": "user", "content": f"<{words}>"}]


def test_braces_in_a_question_or_a_variable_stay() -> None:
    prompt = Prompt("p", (Message("user", "{{tone}} {{input}}"),), {"tone": "{{input}}"})
    (message,) = prompt.ask(make_question(input="{{tone}}"))
    assert message["content"] == "{{input}} {{tone}}"


def test_content_alone_makes_a_version() -> None:
    renamed = Prompt("other", SUPPORT.messages, SUPPORT.variables)
    changed = Prompt("support", SUPPORT.messages, {"company": "Other"})
    assert SUPPORT.content_hash == renamed.content_hash != changed.content_hash


def test_what_a_model_reads_beside_the_question_is_known() -> None:
    assert SUPPORT.surroundings.startswith("You answer for Acme, on .\nWhat is 1 + 1?\n2\n Answer as Acme")


@pytest.mark.parametrize(
    ("messages", "variables", "field", "says"),
    [
        ([], {}, "messages", "has 0 messages"),
        ([("user", "Hello")], {}, "messages", "never put the question"),
        ([("user", "{{input}}"), ("assistant", "Yes.")], {}, "messages", "ends with the assistant"),
        ([("tool", "{{input}}")], {}, "messages[0].role", "'tool' is no role"),
        ([("user", "{{input}} {{tone}}")], {}, "messages[0].content", "{{tone}} has no text"),
        ([("user", "{{input}}")], {"tone": "kind"}, "variables", "'tone' stands in no message"),
        ([("user", "{{input}}")], {"input": "x"}, "variables", "'input' can't be the name"),
        ([("user", "{{input}}")], {"a b": "x"}, "variables", "'a b' can't be the name"),
    ],
)
def test_what_can_not_be_asked_is_refused(
    messages: list[tuple[str, str]], variables: dict[str, str], field: str, says: str
) -> None:
    prompt = Prompt("p", tuple(Message(*each) for each in messages), variables)
    with pytest.raises(InvalidInput) as refused:
        check_prompt(prompt)
    assert refused.value.field == field
    assert says in refused.value.problem
    assert refused.value.remedy


def test_a_version_may_be_named() -> None:
    assert split_reference("support") == ("support", None)
    assert split_reference("support@12") == ("support", 12)
    for wrong in ("support@", "support@0", "support@x", "support@²"):
        with pytest.raises(InvalidInput, match="is no version"):
            split_reference(wrong)
