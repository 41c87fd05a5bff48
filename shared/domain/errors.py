"""What can go wrong with one pair, as names that are stored, counted and shown."""

from enum import StrEnum


class ErrorKind(StrEnum):
    """Why a pair has no score. Each is its own outcome: none of them is ever a score of zero."""

    # The provider gave no answer.
    TIMEOUT = "timeout"
    RATE_LIMITED = "rate_limited"
    UNAVAILABLE = "unavailable"
    AUTHENTICATION = "authentication"
    BAD_REQUEST = "bad_request"
    CONTEXT_LENGTH = "context_length"
    NOT_FOUND = "not_found"
    # The provider answered, but with nothing that can be scored.
    CONTENT_FILTER = "content_filter"
    TRUNCATED = "truncated"
    EMPTY = "empty"
    # The answer is there, the measurement is not.
    JUDGE_UNPARSABLE = "judge_unparsable"
    JUDGE_OFF_SCALE = "judge_off_scale"
    JUDGE_UNAVAILABLE = "judge_unavailable"
    SCORER_ERROR = "scorer_error"
    # A control's answers are compared with those before; no judge is paid for them.
    CONTROL = "control"
    # The run ended before the pair was asked.
    CANCELLED = "cancelled"
    BUDGET = "budget"


class InvalidInput(ValueError):
    """{field}: {problem}. {remedy}

    Input from a person that cannot be accepted; nothing has been stored.
    """

    def __init__(self, field: str, problem: str, remedy: str = "") -> None:
        self.field = field
        self.problem = problem
        self.remedy = remedy
        super().__init__(f"{field}: {problem}" + (f" {remedy}" if remedy else ""))
