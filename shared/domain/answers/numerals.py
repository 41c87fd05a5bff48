"""Numbers as people and models write them: read from text, compared exactly."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

# No answer means a longer run of digits, and exact arithmetic on one is slow: it is not read as a number.
_LONGEST = 400
# A trace of binary floating point ("0.30000000000000004") is no difference.
_RELATIVE_SLACK = Fraction(1, 10**9)

_SCALES = {
    "%": Fraction(1, 100),
    "percent": Fraction(1, 100),
    "thousand": Fraction(10**3),
    "million": Fraction(10**6),
    "billion": Fraction(10**9),
    "trillion": Fraction(10**12),
}

_FRACTION = re.compile(r"\\[dt]?frac\s?\{([^{}]{1,60})\}\s?\{([^{}]{1,60})\}")
_MIXED_FRACTION = re.compile(r"(?<=\d)(?=\\[dt]?frac)")
_THOUSANDS = re.compile(r"(?<=\d)(?:\{,\}|\\[,!]|[\u00a0\u2009\u202f])(?=\d{3}(?!\d))")
_ONE_CHARACTER = str.maketrans({"−": "-", "–": "-", "×": "*", "·": "*"})
_WRITTEN_OUT = {r"\$": "$", r"\%": "%", r"\times": "*", r"\cdot": "*", r"\left": "", r"\right": ""}

_PLAIN = r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?|\.\d+"
_NUMBER = re.compile(
    rf"""
    (?P<sign> (?<![\w.)\]}}%])[-+] )?            # the minus of "16-3", "3-5" and of a bullet is no sign
    [$€£¥₹]?
    (?P<inner_sign> (?<=[$€£¥₹])[-+] )?
    (?<![A-Za-z_0-9^]) (?<!\^\{{) (?<!\d[./])      # the 2 of "H2O", "cm^2", "1.3.2", "3/4/2" is no number
    (?: (?P<mixed>\d{{1,9}})[ ](?=\d{{1,9}}/\d) )?
    (?P<number>{_PLAIN})
    (?: \^\{{?(?P<raised>\d{{1,2}})(?!\d)\}}? )?
    (?: [eE](?P<exponent>[-+]?\d{{1,3}})(?!\w)
      | \s?[*x]\s?10\s?(?:\^|\*\*)\s?\{{?(?P<power>[-+]?\d{{1,3}})(?!\d)\}}? )?
    (?: \s?/\s?(?P<denominator>{_PLAIN})(?!\s?/) )?
    (?: [\s-]?(?P<scale>%|(?:percent|thousand|million|billion|trillion)\b) )?
    """,
    re.VERBOSE | re.IGNORECASE | re.ASCII,
)
_FINAL_ANSWER = re.compile(r"final answer[^\n]*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Number:
    """`value` as written and what its percent sign or "million" multiplies it by (1 when there is none)."""

    value: Fraction
    scale: Fraction = Fraction(1)

    def is_close_to(self, target: "Number", tolerance: Fraction) -> bool:
        """Whether both mean the same to within `tolerance`, in the unit that the target is written in.

        Where only one of the two carries a unit, "50 %" is as good as "50" and as "0.5".
        """
        readings = [self.value * self.scale / target.scale]
        if (self.scale == 1) != (target.scale == 1):
            readings.append(self.value)
        slack = max(tolerance, abs(target.value) * _RELATIVE_SLACK)
        return any(abs(reading - target.value) <= slack for reading in readings)

    def __str__(self) -> str:
        try:
            shown = f"{float(self.value):.12g}"
        except OverflowError:
            shown = "a number too large to show"
        return shown if self.scale == 1 else f"{shown} × {float(self.scale):g}"


def numbers(text: str) -> list[Number]:
    """Every number in the text, in order: signs, thousands, decimals, fractions, exponents, units, LaTeX."""
    return [number for match in _matches(text) if (number := _number(match)) is not None]


def final_number(answer: str) -> Number | None:
    r"""The number an answer arrives at: the last one, or None where there is none.

    A part that the answer itself marks as its result goes before the rest: the last `\boxed{…}`,
    else what follows the last `####`, else the last line from "final answer" on.
    """
    for part in (*_marked_parts(answer), answer):
        for match in reversed(_matches(part)):
            if (number := _number(match)) is not None:
                return number
    return None


def _marked_parts(answer: str) -> Iterator[str]:
    _, boxed, content = answer.rpartition("\\boxed{")
    if boxed:
        yield _up_to_closing_brace(content)
    _, marker, rest = answer.rpartition("####")
    if marker:
        yield rest.strip().partition("\n")[0]
    if lines := _FINAL_ANSWER.findall(answer):
        yield lines[-1]


def _up_to_closing_brace(content: str) -> str:
    depth = 1
    for position, character in enumerate(content):
        depth += (character == "{") - (character == "}")
        if depth == 0:
            return content[:position]
    return content


def _matches(text: str) -> list[re.Match[str]]:
    return [match for match in _NUMBER.finditer(_without_markup(text)) if len(match[0]) <= _LONGEST]


def _without_markup(text: str) -> str:
    text = _MIXED_FRACTION.sub(" ", _THOUSANDS.sub(",", text))
    text = _FRACTION.sub(r"\1/\2", text).translate(_ONE_CHARACTER)
    for written, meant in _WRITTEN_OUT.items():
        text = text.replace(written, meant)
    return text


def _number(match: re.Match[str]) -> Number | None:
    value = _fraction(match["number"]) ** int(match["raised"] or 1) * Fraction(10) ** int(
        match["exponent"] or match["power"] or 0
    )
    if match["denominator"]:
        denominator = _fraction(match["denominator"])
        if not denominator:
            return None
        value /= denominator
    value += int(match["mixed"] or 0)
    if "-" in (match["sign"], match["inner_sign"]):
        value = -value
    return Number(value, _SCALES[(match["scale"] or "").lower()] if match["scale"] else Fraction(1))


def _fraction(digits: str) -> Fraction:
    return Fraction(digits.replace(",", ""))
