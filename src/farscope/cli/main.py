"""The ``farscope`` command: a group that loads each command on demand."""

from __future__ import annotations

from difflib import get_close_matches
from importlib import import_module
from typing import Any, NamedTuple

import click

from farscope.cli.exit_codes import finish, reader_gone
from farscope.cli.style import say
from farscope.errors import UsageError


class Item(NamedTuple):
    """The module of a command and its one-line description, kept here so that ``--help`` loads no command."""

    module: str
    summary: str


COMMANDS = {
    "demo": Item("farscope.cli.demo.command", "Show two charts watched from two other processes."),
    "watch": Item("farscope.cli.watch", "Show what charts do, as they do it."),
    "top": Item("farscope.cli.top", "Show all charts in a live table."),
    "web": Item("farscope.cli.web", "Show every chart on a page in your browser."),
    "sequence": Item("farscope.cli.sequence", "Draw a run as a sequence diagram."),
    "export": Item("farscope.cli.export", "Write a run in a format that other tools read."),
    "record": Item("farscope.cli.record", "Record everything that is broadcast into one file, still sealed."),
    "replay": Item("farscope.cli.replay", "Play back a recording at its original pace."),
    "inspect": Item("farscope.cli.inspect", "Show what a recording or a log contains, without a key."),
    "doctor": Item("farscope.cli.doctor", "Examine a log step by step, and say how to fix what is wrong."),
    "key": Item("farscope.cli.key", "Create, show and rotate the key that seals everything."),
}


class LazyGroup(click.Group):
    """Loads a command's module when the command is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - the signature is click's
        """Return the commands in the order a newcomer meets them."""
        return list(COMMANDS)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; suggest one if the name is nearly right."""
        name = args[0]
        if name not in COMMANDS and (close := get_close_matches(name, COMMANDS, n=1)):
            raise UsageError(f"no such command '{name}'", f"did you mean {close[0]}? see farscope --help")
        return super().resolve_command(ctx, args)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - the signature is click's
        """Load a command; None if there is none of that name."""
        item = COMMANDS.get(cmd_name)
        if item is None:
            return None
        command = getattr(import_module(item.module), cmd_name)
        return command if isinstance(command, click.Command) else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - the signature is click's
        """Write the commands' lines without loading them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, item.summary) for name, item in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; a closed output pipe is handled here, before click sees it."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            return reader_gone()


@click.group(
    cls=LazyGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    subcommand_metavar="COMMAND [ARGS]...",
    epilog="The default log is FARSCOPE_URL, or else the one in your state folder. The default key file is "
    "FARSCOPE_KEY_FILE, or else your own.",
)
@click.version_option(package_name="farscope", prog_name="farscope")
@click.pass_context
def farscope(context: click.Context) -> None:
    """See what every statechart is doing, wherever it runs."""
    if context.invoked_subcommand is None:
        say(context.get_help())


def main() -> None:
    """Run the command line and exit the program with its exit code."""
    finish(lambda: farscope.main(prog_name="farscope", standalone_mode=False))
