"""Who a model says it is: the names in its words, so that another wording is no other model.

What a model says proves nothing by itself: models are often wrong about their version, and some were taught
with the words of others. A change of what one model says is worth telling all the same.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

MAKERS = {
    "GPT": "OpenAI",
    "Claude": "Anthropic",
    "Gemini": "Google",
    "Gemma": "Google",
    "Llama": "Meta",
    "Mistral": "Mistral AI",
    "Qwen": "Alibaba",
    "DeepSeek": "DeepSeek",
    "Grok": "xAI",
    "Command": "Cohere",
    "Nova": "Amazon",
    "Phi": "Microsoft",
    "SmolLM": "Hugging Face",
    "Granite": "IBM",
    "Kimi": "Moonshot AI",
    "GLM": "Zhipu",
}
_ALIASES = {
    "chatgpt": "GPT",
    "bard": "Gemini",
    "codellama": "Llama",
    "mixtral": "Mistral",
    "ministral": "Mistral",
    "magistral": "Mistral",
    "codestral": "Mistral",
    "pixtral": "Mistral",
    "devstral": "Mistral",
    "qwq": "Qwen",
    "chatglm": "GLM",
}
_FAMILIES = {**{family.casefold(): family for family in MAKERS}, **_ALIASES}
_MAKERS = {maker.split()[0].casefold(): maker for maker in MAKERS.values()}
# Words of everyday English as well: names only where they are written like one.
_WORDS = frozenset({"bard", "command", "nova", "granite", "meta"})
_ORDINARY = frozenset(
    {
        "AI", "AIs", "API", "LLM", "LLMs", "ML", "NLP", "I", "A", "An", "As", "At", "By", "For", "From",
        "Hello", "Hi", "How", "However", "In", "It", "Its", "My", "No", "Not", "Of", "Ok", "Okay", "On",
        "Or", "Our", "Please", "Sorry", "Sure", "Thank", "Thanks", "That", "The", "There", "This", "To",
        "We", "What", "When", "Which", "While", "Who", "Yes", "You", "Your", "Artificial", "Intelligence",
        "Assistant", "Chatbot", "Language", "Large", "Model", "Neural", "Network", "Lab", "Labs", "Team",
        "Inc", "Ltd", "Company",
    }
)  # fmt: skip
_WORD = re.compile(r"[^\W\d_]+")
_SENTENCE_END = re.compile(r"(?:^|[.!?:\n])\W*$")
_DENIED = re.compile(
    r"(?:\b(?:[Nn]ot|[Nn]either|nor|[Uu]nlike|[Rr]ather than|[Ii]nstead of)|n['’]t)\s+"
    r"(?:(?:a|an|the|by|made|built|created|developed|trained|related|affiliated|associated|to|with|from)\s+)*"
    r"[\w.-]+(?:(?:\s*,\s*|\s*,?\s*(?:or|nor)\s+)(?:by\s+)?[A-Z][\w.-]*)*"
)


@dataclass(frozen=True, slots=True)
class Claim:
    """The names in what a model says of itself: known families, their makers, and all other proper names."""

    families: frozenset[str]
    makers: frozenset[str]
    others: frozenset[str]

    @property
    def name(self) -> str | None:
        """The one name to tell: a family, else a maker, else the longest other one; None where none is."""
        for names in (self.families, self.makers, self.others):
            if names:
                return max(sorted(names), key=len)
        return None

    def contradicts(self, other: "Claim") -> bool:
        """Whether both name someone, and nobody in common, by the most telling names that both have."""
        for mine, its in ((self.families, other.families), (self.makers, other.makers)):
            if mine and its:
                return mine.isdisjoint(its)
        mine, its = self._names, other._names
        return bool(mine and its) and mine.isdisjoint(its)

    @property
    def _names(self) -> frozenset[str]:
        return self.families | self.makers | self.others


def read_claim(says_it_is: str) -> Claim:
    """Read who a text of a few sentences says that its writer is; names that it denies do not count."""
    text = _DENIED.sub(" ", says_it_is)
    families: set[str] = set()
    makers: set[str] = set()
    others: set[str] = set()
    for found in _WORD.finditer(text):
        word, key = found[0], found[0].casefold()
        is_name = word[0].isupper()
        if key in _WORDS and not is_name:
            continue
        if key in _FAMILIES:
            families.add(_FAMILIES[key])
        elif key in _MAKERS:
            makers.add(_MAKERS[key])
        elif is_name and word not in _ORDINARY and len(word) > 1 and not _begins_sentence(text, found):
            others.add(word)
    return Claim(frozenset(families), frozenset(makers) | _makers_of(families), frozenset(others))


def contradicts_name(model_name: str, says_it_is: str) -> str | None:
    """A sentence where a model's name is that of one maker and what it says that of another, else None."""
    tokens = {re.sub(r"\d+\w?$", "", token) for token in re.split(r"[-._/:@]+", model_name.casefold())}
    named = {_FAMILIES[token] for token in tokens if token in _FAMILIES}
    claim = read_claim(says_it_is)
    if not named or not claim.makers or _makers_of(named) & claim.makers:
        return None
    return f"{model_name} says that it is {claim.name}."


def _makers_of(families: Iterable[str]) -> frozenset[str]:
    return frozenset(MAKERS[family] for family in families)


def _begins_sentence(text: str, found: re.Match[str]) -> bool:
    return _SENTENCE_END.search(text, 0, found.start()) is not None
