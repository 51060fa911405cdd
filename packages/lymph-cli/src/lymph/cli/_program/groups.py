"""A group of commands whose help says in full what each of them does."""

from __future__ import annotations

import click

__all__ = ['SUMMARY', 'Group']

#: Characters of what a command does, more than anybody should need.
SUMMARY = 200


class Group(click.Group):
    """A click group that wraps the descriptions of its commands instead of cutting them off."""

    def described(self) -> dict[str, click.Command]:
        """Return all commands that are shown, by name, for what they say of themselves."""
        return {name: each for name, each in self.commands.items() if not each.hidden}

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the section of commands."""
        commands = sorted(self.described().items())
        with formatter.section('Commands'):
            formatter.write_dl(
                [(name, each.get_short_help_str(SUMMARY)) for name, each in commands]
            )
