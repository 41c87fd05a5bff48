"""promptfoo's YAML: vars go into the prompt, assertions into scorers; what means otherwise is refused."""

import pytest

from shared.domain.answers.scoring import Verdict, score_answer
from shared.domain.errors import InvalidInput
from shared.domain.questions.suite_files import parse_suite
from shared.domain.questions.suites import Question

ASSERTING = "tests:\n- vars: {q: x}\n  assert:\n  - "


def parse(text: str) -> tuple[Question, ...]:
    return parse_suite("s.yaml", text.encode()).questions


def refused(text: str) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        parse(text)
    return caught.value


def test_a_configuration_reads_as_promptfoo_runs_it() -> None:
    (question, second) = parse(
        """
        # yaml-language-server: $schema=https://promptfoo.dev/config-schema.json
        description: Capitals
        prompts:
          - 'Answer briefly: {{ question }}'
        providers: [openai:gpt-4o-mini]
        defaultTest:
          metadata: {category: geography}
          assert: [{type: not-contains, value: sorry}]
        tests:
          - description: France
            vars: {question: "Capital of {{France}}?", expected: Paris}
            metadata: {id: fr, cluster: europe, difficulty: easy}
            assert: [{type: icontains, value: '{{expected}}', metric: found, weight: 2}]
          - vars: {question: Is 1.50 < 2?, expected: yes}
            threshold: 0.5
            metadata: {category: math}
        """
    )
    assert question.input == "Answer briefly: Capital of {{France}}?"
    assert (question.id, question.category, question.cluster, question.target) == (
        "fr",
        "geography",
        "europe",
        "Paris",
    )
    assert question.scorer.as_json() == {
        "name": "assert-set",
        "assert": [
            {"type": "not-contains", "value": "sorry"},
            {"type": "icontains", "weight": 2, "value": "Paris"},
        ],
    }
    assert (second.id, second.category, second.target) == ("test-2", "math", "yes")
    assert second.scorer.as_json()["threshold"] == 0.5


@pytest.mark.parametrize("var", ["input", "question", "anything"])
def test_without_a_prompt_the_only_var_is_the_input(var: str) -> None:
    (question,) = parse(f"- vars: {{{var}: 'What?', expected: That}}")
    assert (question.input, question.target, question.scorer.name) == ("What?", "That", "llm-rubric")


@pytest.mark.parametrize(
    ("assertion", "target", "scorer"),
    [
        ("{type: equals, value: 1.50}", "1.50", {"name": "equals"}),
        ("{type: contains, value: no}", "no", {"name": "contains"}),
        ("{type: numeric, value: 42, tolerance: 0.5}", "42", {"name": "numeric", "tolerance": 0.5}),
        ("{type: contains-any, value: [a, 2]}", "a, 2", {"name": "contains-any", "value": ["a", "2"]}),
        ("{type: llm-rubric, value: is kind}", "is kind", {"name": "llm-rubric"}),
        ("{type: levenshtein, value: abc, threshold: 2}", "abc", {"name": "levenshtein", "threshold": 2}),
        ("{type: choice, value: no, choices: [yes, no]}", "no", {"name": "choice", "choices": ["yes", "no"]}),
        ("{type: is-json}", "is-json", {"name": "is-json"}),
        ("{type: not-contains, value: x}", "not-contains x", {"name": "not-contains", "value": "x"}),
        ("{type: regex, value: '\\d{2}'}", "\\d{2}", {"name": "regex"}),
    ],
)
def test_one_assertion_is_its_own_scorer_and_gives_the_reference(
    assertion: str, target: str, scorer: dict[str, object]
) -> None:
    (question,) = parse(f"- {{vars: {{q: What?}}, assert: [{assertion}]}}")
    assert (question.target, question.scorer.as_json()) == (target, scorer)


def test_a_given_reference_goes_before_the_assertions() -> None:
    (question,) = parse("- {vars: {q: What?, expected: Sir}, assert: [{type: llm-rubric, value: is kind}]}")
    assert question.target == "Sir"
    assert question.scorer.as_json() == {"name": "llm-rubric", "value": "is kind"}


def test_a_var_that_the_prompt_asks_is_no_reference() -> None:
    tests = "[{vars: {answer: '4'}, assert: [{type: equals, value: yes}]}]"
    (question,) = parse(f"{{prompts: ['Is {{{{answer}}}} right?'], tests: {tests}}}")
    assert (question.input, question.target) == ("Is 4 right?", "yes")


def test_an_assert_set_keeps_its_weights_and_threshold() -> None:
    (question,) = parse(
        """
        - vars: {q: What?}
          assert:
            - type: assert-set
              threshold: 0.7
              assert: [{type: contains, value: a, weight: 3}, {type: contains, value: b}]
        """
    )
    outcome = score_answer(question, "only a")
    assert isinstance(outcome, Verdict)
    assert (question.target, outcome.score, outcome.passed) == ("a", 0.75, True)


@pytest.mark.parametrize(
    ("text", "place", "says"),
    [
        ("", "line 1, yaml", "empty"),
        ("tests: [", "line 2, yaml", ""),
        ("a: &x 1\nb: *x", "line 1, yaml", "anchors"),
        ("a: 1\nb: !!python/object:os.system x", "line 2, yaml", "tag"),
        ("---\na: 1\n---\nb: 2", "line 3, yaml", "several documents"),
        ("[" * 100_000, "line 1, yaml", "nested"),
        ("- " * 100_000, "line 1, yaml", "nested"),
        ("\x07", "yaml", "character"),
        ("just text", "line 1, file", "not a mapping"),
        ("<<: {tests: []}", "line 1, file.<<", "not supported"),
        ("tests: []\ntests: []", "line 2, file", "twice"),
        ("description: x", "line 1, tests", "no list"),
        ("tests: file://tests.csv", "line 1, tests", "no list"),
        ("tests: []\nscenarios: []", "line 2, file.scenarios", "not supported"),
        ("tests: []\ndefaultTest: file://d.yaml", "line 2, defaultTest", "not read"),
        ("tests: []", "suite", "no question"),
        ("prompts:\n - a\n - b\ntests: []", "line 3, prompts", "2 prompts"),
        ("prompts: [file://p.txt]\ntests: []", "line 1, prompts", "not read"),
        ("prompts: [prompts/p.txt]\ntests: []", "line 1, prompts", "not read"),
        ('prompts: [\'[{"role": "user"}]\']\ntests: []', "line 1, prompts", "several messages"),
        ("prompts: [{label: x}]\ntests: []", "line 1, prompts", "no text"),
        ("prompts: ['{{q}} {{r}}']\ntests: [{vars: {q: x, expected: y}}]", "line 1, prompts", "{{r}}"),
        ("prompts: ['{{q|upper}}']\ntests: [{vars: {q: x, expected: y}}]", "line 1, prompts", "{{q|upper}}"),
        ("prompts: ['{% if q %}']\ntests: [{vars: {q: x, expected: y}}]", "line 1, prompts", "{% … %}"),
        ("tests:\n- vars: {q: x}", "line 2, test", "right answer"),
        ("tests:\n- vars: {expected: x}", "line 2, vars", "no var"),
        ("tests:\n- vars: {q: x, context: y, expected: z}", "line 2, vars", "q, context"),
        ("tests:\n- vars:\n    q: [x, y]", "line 3, vars.q", "not one text"),
        ("tests:\n- vars:\n    q: file://x.txt", "line 3, vars.q", "not read"),
        ("tests:\n- vars: {q: ' ', expected: x}", "line 2, input", "empty"),
        ('tests:\n- vars: {q: "\\0", expected: x}', "line 2, input", "NUL"),
        ("tests:\n- vars: {q: x}\n  options: {}", "line 3, test.options", "not supported"),
        (ASSERTING + "value: y", "line 4, assert.type", "missing"),
        (ASSERTING + "type: javascript\n    value: y", "line 4, scorer", "'javascript'"),
        (ASSERTING + "{type: latency, threshold: 5}", "line 4, scorer", "'latency'"),
        (ASSERTING + "{type: equals, value: {a: 1}}", "line 4, assert.value", "schemas"),
        (ASSERTING + "{type: equals, value: file://x}", "line 4, assert.value", "not read"),
        (ASSERTING + "{type: equals, value: '{{y}}'}", "line 4, assert.value", "{{y}}"),
        (ASSERTING + "{type: equals, value: y, provider: z}", "line 4, assert.provider", ""),
        (ASSERTING + "{type: contains, value: y, weight: 0}", "line 2, scorer_options.assert", "weights"),
        (ASSERTING + "{type: contains, value: y, weight: w}", "line 4, assert.weight", ""),
        ("tests:\n- vars: {q: x}\n  assert: {type: equals}", "line 3, assert", "not a list"),
        ("tests:\n" + "- {vars: {q: x, expected: y}, metadata: {id: a}}\n" * 2, "line 3, id", "line 2"),
    ],
)
def test_what_it_cannot_run_as_promptfoo_would_is_refused_by_line(text: str, place: str, says: str) -> None:
    problem = refused(text.replace(ASSERTING + "", "tests:\n- vars: {q: x}\n  assert:\n  - "))
    assert problem.field == f"s.yaml, {place}"
    assert says in problem.problem
    assert problem.remedy
