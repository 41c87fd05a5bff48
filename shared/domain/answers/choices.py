"""Multiple choice: which of the offered choices an answer settles on."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_CUE = re.compile(
    r"""\b(?: (?:answer|choice|option|one)\s+(?:is|would\ be|should\ be|must\ be)\s*:?
            | (?:answer|choice)["'”]?\s*[:=–-]?
            | (?:choose|pick|select|go\ with|going\ with)
            | (?:correct|right|best)\s+is
        ) \s* (?:the\s)? (?:(?:actually|clearly|definitely|therefore|thus)\s)?
        (?:(?:option|choice|letter)\s)? [\s("'“\[]* $""",
    re.VERBOSE | re.IGNORECASE,
)
_CONFIRMED = re.compile(
    r"[)\]\"'”]?\s+(?:is|must be|would be)\s+(?:the\s+)?(?:correct|right|best)\b", re.IGNORECASE
)
_JOINED = re.compile(r"[)\]\"'”\s]*(?:,|/|&|\bor\b|\band\b)[,\s]*(?:(?:or|and)\s+)?[(\[\"'“]*", re.IGNORECASE)
_NEGATED = re.compile(
    r"n['’]t\b|\b(?:not|no|cannot|wrong|incorrect|false|than|instead|unlike)\b", re.IGNORECASE
)
_SENTENCE_END = re.compile(r"\n|(?<=[.!?])\s")

_STATED = re.compile(r"[)\]\"'”]?\s*(?:[.,:;!–—-]|\Z|\n)")

_LETTER = re.compile(r"(?<!\w)(?<!\w['’])[A-Za-z](?!['’]?\w)")
_ONLY_A_LETTER = re.compile(r"[^\w]*([A-Za-z])[^\w]*")
_LISTED = re.compile(r"(?<![\w'’])\(?([A-Z])[).:]\s+(?=\S)")
_MARKUP = re.compile(r"\\(?:text|textbf|mathrm|mathbf)\b|\\[()\[\]]|[*`$_{}]|^#+\s", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Offer:
    """The choices of one question, as texts by key: by letter, or by the text itself where there are none."""

    texts: Mapping[str, str]
    lettered: bool

    def key(self, written: str) -> str | None:
        """The key of a choice written as its letter, its text, or "(B) text"; None if it is not offered."""
        if self.lettered:
            letter = _ONLY_A_LETTER.fullmatch(written) or _LISTED.match(written.lstrip())
            if letter and letter[1].upper() in self.texts:
                return letter[1].upper()
        wanted = _plain(written)
        return next((key for key, text in self.texts.items() if text and _plain(text) == wanted), None)


@dataclass(frozen=True, slots=True)
class _Mention:
    start: int
    end: int
    key: str
    announced: bool
    opens_line: bool


def offered_choices(asked: str, target: str, named: Sequence[str]) -> Offer:
    """The choices that a question offers: those `named` to its scorer, else those lettered in its text.

    Where there are neither, any letter counts as a choice or, if the target is a text, that text alone.
    """
    if named:
        lettered = all(_ONLY_A_LETTER.fullmatch(name) for name in named)
        return Offer({n.strip().upper(): "" for n in named} if lettered else {n: n for n in named}, lettered)
    listed = Offer(_listed(asked), lettered=True)
    if len(listed.texts) > 1 and listed.key(target):
        return listed
    if letter := _ONLY_A_LETTER.fullmatch(target) or _LISTED.match(target.lstrip()):
        return Offer(dict.fromkeys([*"ABCDEFGH", letter[1].upper()], ""), lettered=True)
    return Offer({target: target}, lettered=False)


def settled_choice(answer: str, offer: Offer) -> tuple[str | None, str]:
    """The key of the choice an answer settles on, None if it names none or several; and why, in words.

    The last announced choice ("the answer is (B)", "B is correct", "B" on a line of its own) goes before all
    mentions; then the one choice that is named at all, or opens the answer, or is named in the last sentence.
    """
    text = _MARKUP.sub("", answer.replace("\\boxed{", "answer: ")).strip()
    letters = _letter_mentions(text, offer) if offer.lettered else []
    texts = _text_mentions(text, offer)
    everything = sorted(letters + texts, key=lambda mention: mention.start)
    announced = [mention for mention in everything if mention.announced]
    if announced:
        return _announced_choice(text, announced[-1], everything)
    for mentions in ([m for m in letters if _is_marked(text, m)], texts):
        if mentions:
            return _mentioned_choice(text, mentions, offer)
    return None, "no choice is named"


def _announced_choice(text: str, last: _Mention, everything: Sequence[_Mention]) -> tuple[str | None, str]:
    for mention in everything:
        if mention.key != last.key and (
            (mention.start >= last.end and _JOINED.fullmatch(text[last.end : mention.start]))
            or (mention.end <= last.start and _JOINED.fullmatch(text[mention.end : last.start]))
        ):
            return None, f"no clear choice: {last.key} and {mention.key} are named together"
    return last.key, f"chose {last.key}"


def _mentioned_choice(text: str, mentions: Sequence[_Mention], offer: Offer) -> tuple[str | None, str]:
    first, last = mentions[0], mentions[-1]
    keys = sorted({mention.key for mention in mentions})
    listing = sum(mention.opens_line for mention in mentions) > 1
    if len(keys) == 1 or (not listing and _opens(text, mentions, offer)):
        return first.key, f"chose {first.key}"
    sentence_start = max((end.end() for end in _SENTENCE_END.finditer(text, 0, last.start)), default=0)
    final = [mention for mention in mentions if mention.start >= sentence_start]
    said_besides = text[sentence_start : final[0].start] + text[last.end :].partition("\n")[0]
    agrees = len({mention.key for mention in final}) == 1
    if agrees and not _NEGATED.search(said_besides) and not (listing and last.opens_line):
        return last.key, f"chose {last.key}"
    return None, f"no clear choice: {', '.join(keys)} are all named"


def _opens(text: str, mentions: Sequence[_Mention], offer: Offer) -> bool:
    """Whether the answer begins by stating this choice and no more: "Yes, …", "B. …", "(B) Paris …"."""
    first, second = mentions[:2]
    rest = text[first.end :].lstrip(" )].:")
    own_text = offer.texts[first.key].casefold()
    stated = _STATED.match(text, first.end) or (
        offer.lettered and own_text and rest.casefold().startswith(own_text)
    )
    return (
        bool(stated)
        and not text[: first.start].strip(" (\"'“[")
        and not _JOINED.fullmatch(text[first.end : second.start])
    )


def _letter_mentions(text: str, offer: Offer) -> list[_Mention]:
    mentions = []
    for match in _LETTER.finditer(text):
        if (key := match[0].upper()) in offer.texts:
            mention = _mention(text, match.start(), match.end(), key)
            if (
                match[0].isupper()
                or _is_bracketed(text, mention)
                or (mention.announced and _ends_phrase(text, mention))
            ):
                mentions.append(mention)
    return mentions


def _text_mentions(text: str, offer: Offer) -> list[_Mention]:
    texts = sorted(filter(None, offer.texts.values()), key=len, reverse=True)
    if not texts:
        return []
    either = "|".join(r"\s+".join(map(re.escape, choice.split())) for choice in texts)
    found = re.finditer(rf"(?<!\w)(?:{either})(?!\w)", text, re.IGNORECASE)
    return [_mention(text, m.start(), m.end(), key) for m in found if (key := _text_key(m[0], offer))]


def _text_key(written: str, offer: Offer) -> str | None:
    wanted = _plain(written)
    return next((key for key, text in offer.texts.items() if _plain(text) == wanted), None)


def _mention(text: str, start: int, end: int, key: str) -> _Mention:
    before = text[max(0, start - 80) : start]
    line_before = before.rpartition("\n")[2]
    opens_line = not line_before.strip(" \t(\"'“[-")
    alone = opens_line and not text[end : end + 80].partition("\n")[0].strip(" \t).:\"'”]!")
    announced = alone or bool(_CUE.search(before)) or bool(_CONFIRMED.match(text, end))
    return _Mention(start, end, key, announced, opens_line)


def _is_marked(text: str, mention: _Mention) -> bool:
    """Whether a lone letter is meant as a choice: "(B)", "option B", "B." at the start of a line."""
    if _is_bracketed(text, mention) or re.search(
        r"\b(?:option|choice)\s$", text[: mention.start][-8:], re.IGNORECASE
    ):
        return True
    return mention.opens_line and text[mention.end : mention.end + 1] in {")", ".", ":", ","}


def _is_bracketed(text: str, mention: _Mention) -> bool:
    return text[mention.start - 1 : mention.start] in {"(", "["} and text[mention.end : mention.end + 1] in {
        ")",
        "]",
    }


def _ends_phrase(text: str, mention: _Mention) -> bool:
    return text[mention.end : mention.end + 1] in {"", "\n", ".", ")", ",", ";", ":"}


def _listed(asked: str) -> dict[str, str]:
    """Choices lettered A, B, C … in a question's text; the last such list where there are several."""
    markers: list[re.Match[str]] = []
    for marker in _LISTED.finditer(asked):
        if marker[1] == "A":
            markers = [marker]
        elif markers and ord(marker[1]) == ord(markers[-1][1]) + 1:
            markers.append(marker)
    listed = {}
    for marker, following in zip(markers, [*markers[1:], None], strict=False):
        text = asked[marker.end() : following.start() if following else None]
        listed[marker[1]] = text.partition("\n")[0].strip()
    return listed


def _plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold())) or text.strip()
