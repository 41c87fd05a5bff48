"""How help reads: commands in groups, examples below."""

from typing import Any

from typer.core import TyperGroup

MEASURE = "Measure"
LOOK = "Look at results"
MANAGE = "Manage"
START = "Start processes"
SECTIONS = (MEASURE, LOOK, MANAGE, START)


def examples(*commands: str) -> str:
    r"""An epilog of commands as one types them; `\b` keeps the help from wrapping them."""
    return "\n".join(("\b", "Examples:", *(f"  driftwarden {command}" for command in commands)))


class InSections(TyperGroup):
    """A group that lists its commands under the heads that they were registered with."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        commands = [(name, self.commands[name]) for name in self.list_commands(ctx)]
        width = formatter.width - 6 - max(len(name) for name, _ in commands)
        for head in SECTIONS:
            rows = [
                (name, command.get_short_help_str(width))
                for name, command in commands
                if getattr(command, "rich_help_panel", None) == head
            ]
            with formatter.section(head):
                formatter.write_dl(rows)
