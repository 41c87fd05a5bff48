"""Suite files: what each format says, and a refusal with file, line, field and remedy for everything else."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.errors import InvalidInput
from shared.domain.questions.suite_files import MOST_BYTES, parse_suite
from shared.domain.questions.suites import Question, Scorer, SuiteContent

HEADER = "id,category,input,expected_output\n"


def parse(name: str, text: str) -> tuple[Question, ...]:
    return parse_suite(name, text.encode()).questions


def refused(name: str, content: str | bytes) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        parse_suite(name, content if isinstance(content, bytes) else content.encode())
    assert caught.value.field.startswith(name)
    assert caught.value.remedy, "a refusal says what to do"
    return caught.value


class TestCsv:
    def test_rows_become_questions_in_order(self) -> None:
        first, second = parse("s.csv", HEADER + "q1,math,1+1?,2\nq2,,What?,That\n")
        assert first == Question("q1", "math", "1+1?", "2", Scorer("llm-rubric"))
        assert (second.category, second.cluster) == ("general", None)

    def test_scorer_options_and_cluster_may_be_given(self) -> None:
        header = "id,category,input,ideal,scorer,scorer_options,cluster\n"
        first, second = parse("s.csv", header + 'a,c,i,4,numeric,"{""tolerance"": 0.5}",k\nb,c,i,x,,,\n')
        assert (first.scorer, first.cluster) == (Scorer("numeric", {"tolerance": 0.5}), "k")
        assert (second.scorer, second.cluster) == (Scorer("llm-rubric"), None)

    def test_mark_line_ends_blank_lines_and_quoted_breaks_make_no_difference(self) -> None:
        unix = HEADER + 'q1,math,"1,\n""1""?",2\nq2,c,x,y\n'
        windows = "\ufeff" + (HEADER + '\nq1,math,"1,\n""1""?",2\n\nq2,c,x,y').replace("\n", "\r\n")
        assert parse("s.csv", unix)[0].input == '1,\n"1"?'
        assert (
            parse_suite("s.csv", windows.encode()).content_hash
            == parse_suite("s.csv", unix.encode()).content_hash
        )

    @pytest.mark.parametrize(
        ("text", "place"),
        [
            ("", "line 1, header"),
            ("id;category;input;expected_output\n", "line 1, header"),
            ("id,category,input,__expected\n", "line 1, header"),
            ("id,category,input\n", "line 1, header"),
            ("id,input,expected_output\n", "line 1, header"),
            ("id,category,input,target,ideal\n", "line 1, header"),
            ("id,id,category,input,target\n", "line 1, header"),
            (HEADER + "q1,c,i\n", "line 2, row"),
            (HEADER + 'q0,c,"a\nb\nc",y\nq1,c,i,t,more\n', "line 5, row"),
            (HEADER + 'q0,c,"a\nb",y\n\n\nq1,c,i,\n', "line 6, expected_output"),
            (HEADER + 'q1,c,"a\nb",\n', "line 2, expected_output"),
            (HEADER + "q1,c,i, \n", "line 2, expected_output"),
            (HEADER + "q1,c,,t\n", "line 2, input"),
            (HEADER + ",c,i,t\n", "line 2, id"),
            (HEADER + "q1,all,i,t\n", "line 2, category"),
            (HEADER + f"{'q' * 300},c,i,t\n", "line 2, id"),
            (HEADER + '"q\n1",c,i,t\n', "line 2, id"),
            (HEADER + "q1,c,i,t\nq2,c,i,t\nq1,c,j,t\n", "line 4, id"),
            (HEADER + 'q0,c,i,t\nq1,c,"open,t\n\n', "line 3, row"),
            (HEADER + 'q1,c,"x"y,t\n', "line 2, row"),
            (HEADER + f"q1,c,{'x' * 200_000},t\n", "line 2, row"),
            (HEADER.replace("\n", ",scorer\n") + "q1,c,i,t,vibes\n", "line 2, scorer"),
            (HEADER.replace("\n", ",scorer\n") + "q1,c,i,many,numeric\n", "line 2, expected_output"),
            (HEADER.replace("\n", ",scorer_options\n") + "q1,c,i,t,{\n", "line 2, scorer_options"),
            (HEADER.replace("\n", ",scorer_options\n") + "q1,c,i,t,[]\n", "line 2, scorer_options"),
            (
                HEADER.replace("\n", ",scorer_options\n") + 'q1,c,i,t,"{""x"": 1}"\n',
                "line 2, scorer_options.x",
            ),
            (
                HEADER.replace("\n", ",scorer_options\n") + 'q1,c,i,t,"{""name"": 1}"\n',
                "line 2, scorer_options.name",
            ),
        ],
    )
    def test_a_bad_row_is_refused_where_it_starts(self, text: str, place: str) -> None:
        assert refused("s.csv", text).field == f"s.csv, {place}"

    def test_a_duplicate_names_the_line_of_the_first(self) -> None:
        assert "line 2" in refused("s.csv", HEADER + 'q1,c,"a\nb",t\nq1,c,j,t\n').problem

    def test_the_first_bad_row_is_told_with_the_count_of_the_others(self) -> None:
        problem = refused("s.csv", HEADER + "q1,c,i\nq2,c,i,t\nq3,c,,t\nq4,c,i,\n")
        assert problem.field == "s.csv, line 2, row"
        assert "2 more rows are bad" in problem.remedy

    def test_a_header_alone_holds_no_question(self) -> None:
        assert "no question" in refused("s.csv", HEADER).problem


class TestJsonl:
    @pytest.mark.parametrize("alias", ["target", "ideal", "expected", "expected_output"])
    def test_the_reference_goes_by_several_names(self, alias: str) -> None:
        row = {
            "id": "a",
            "input": "i",
            alias: "t",
            "metadata": {"category": "c", "cluster": "k", "source": "x"},
        }
        assert parse("s.jsonl", json.dumps(row)) == (Question("a", "c", "i", "t", Scorer(), "k"),)

    def test_scorers_are_named_or_spelled_out(self) -> None:
        rows = [
            {"id": "a", "category": "c", "input": "i", "target": "4", "scorer": "numeric"},
            {
                "id": "b",
                "input": "i",
                "target": "4",
                "scorer": {"name": "contains", "value": "x"},
                "cluster": "k",
            },
        ]
        first, second = parse("s.jsonl", "\n\n".join(map(json.dumps, rows)) + "\n")
        assert first.scorer == Scorer("numeric", {})
        assert (second.scorer.name, dict(second.scorer.options)) == ("contains", {"value": "x"})

    @pytest.mark.parametrize(
        ("line", "place"),
        [
            ("{", "row"),
            ("[1]", "row"),
            ('{"id": "a", "id": "b", "input": "i", "target": "t"}', "row"),
            (
                '{"id": "a", "input": "i", "target": "t", "scorer": {"name": "numeric", "tolerance": NaN}}',
                "row",
            ),
            ("[" * 100_000, "row"),
            (f'{{"id": {"1" * 5000}}}', "row"),
            ('{"id": 1, "input": "i", "target": "t"}', "id"),
            ('{"input": "i", "target": "t"}', "id"),
            ('{"id": "a", "input": [{"role": "user"}], "target": "t"}', "input"),
            ('{"id": "a", "input": "i", "ideal": ["t"]}', "ideal"),
            ('{"id": "a", "input": "i", "target": 42}', "target"),
            ('{"id": "a", "input": "i"}', "target"),
            ('{"id": "a", "input": "i", "target": "t", "ideal": "u"}', "ideal"),
            ('{"id": "a", "inptu": "i", "target": "t"}', "inptu"),
            ('{"id": "a", "input": "i", "target": "t", "metadata": []}', "metadata"),
            ('{"id": "a", "input": "i", "target": "t", "metadata": {"category": 3}}', "category"),
            ('{"id": "a", "input": "i", "target": "t", "scorer": 3}', "scorer"),
            ('{"id": "a", "input": "i", "target": "t", "scorer": {"value": "x"}}', "scorer"),
            ('{"id": "a", "input": "i\\u0000", "target": "t"}', "input"),
            ('{"id": "a", "input": "i", "target": "\\ud800"}', "target"),
            (
                '{"id": "a", "input": "i", "target": "t", "scorer": {"name": "equals", "value": "\\u0000"}}',
                "scorer",
            ),
        ],
    )
    def test_a_bad_line_is_refused_by_field(self, line: str, place: str) -> None:
        good = json.dumps({"id": "good", "input": "i", "target": "t"})
        assert refused("s.jsonl", f"{good}\r\n\r\n{line}").field == f"s.jsonl, line 3, {place}"


class TestEveryFile:
    def test_the_extension_says_the_format(self) -> None:
        assert len(parse("Folder/S.CSV", HEADER + "q1,c,i,t")) == 1
        assert ".jsonl" in refused("s.xlsx", "x").problem
        assert ".jsonl" in refused("csv", "x").problem

    @pytest.mark.parametrize("name", ["s.csv", "s.jsonl", "s.yaml", "s.yml"])
    def test_what_is_not_utf_8_text_is_refused(self, name: str) -> None:
        assert refused(name, b"a\nb\n\xff").field == f"{name}, line 3, encoding"
        assert refused(name, b"a\n\x00").field == f"{name}, line 2, encoding"
        assert refused(name, "id".encode("utf-16")).field == f"{name}, encoding"
        assert refused(name, "id".encode("utf-16-le")).field == f"{name}, line 1, encoding"
        assert refused(name, b"").remedy
        assert "larger" in refused(name, b"x" * (MOST_BYTES + 1)).problem

    @given(st.sampled_from(["s.csv", "s.jsonl", "s.yaml"]), st.binary() | st.text().map(str.encode))
    def test_any_bytes_are_read_or_refused(self, name: str, content: bytes) -> None:
        try:
            suite = parse_suite(name, content)
        except InvalidInput:
            return
        assert isinstance(suite, SuiteContent)

    @given(st.lists(st.text(alphabet="ab,\"\n\r\t{}:-[]&*!|>#'%@` 1", max_size=12), max_size=8))
    def test_any_rows_below_a_good_header_are_read_or_refused(self, cells: list[str]) -> None:
        for name, head in (("s.csv", HEADER), ("s.yaml", "tests:\n"), ("s.jsonl", '{"id":')):
            try:
                parse_suite(name, (head + ",".join(cells)).encode())
            except InvalidInput:
                continue


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00\r"), min_size=1).filter(str.strip)
NAME = (
    st.text("abcdefgh-é 0123", min_size=1, max_size=20)
    .map(str.strip)
    .filter(lambda name: name not in ("", "all"))
)


@given(
    st.lists(st.builds(Question, NAME, NAME, TEXT, TEXT), min_size=1, max_size=5, unique_by=lambda q: q.id)
)
def test_a_suite_reads_the_same_from_csv_and_jsonl(questions: list[Question]) -> None:
    def quoted(text: str) -> str:
        return '"' + text.replace('"', '""') + '"'

    table = HEADER + "".join(
        ",".join(map(quoted, (q.id, q.category, q.input, q.target))) + "\n" for q in questions
    )
    lines = [
        json.dumps({"id": q.id, "category": q.category, "input": q.input, "target": q.target})
        for q in questions
    ]
    assert parse("s.csv", table) == parse("s.jsonl", "\n".join(lines)) == tuple(questions)
