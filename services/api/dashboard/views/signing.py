"""What /sign-in shows."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SignIn:
    """`next` is where the person wanted to go; `is_over`: there was a session, and its time is over."""

    next: str
    is_over: bool = False
    error: str = ""

    @property
    def destination(self) -> str:
        """Where they will come back to, in words."""
        path = self.next.partition("?")[0].strip("/")
        return path.replace("/", ", ") if path else "Home"
