"""The command line: a lazy group of commands, and the one place where errors become a line and an exit status."""

from __future__ import annotations

import contextlib
import errno
import importlib
import io
import logging
import os
import signal
import sys
from typing import TYPE_CHECKING, Any

import click

from harness.cli.session import Session
from harness.collector import leave
from harness.errors import HarnessError, nearest
from harness.plugins import PluginChoice

if TYPE_CHECKING:
    from types import FrameType

COMMANDS = (
    "run",
    "curve",
    "report",
    "view",
    "compare",
    "gate",
    "show",
    "check",
    "task",
    "list",
    "fetch",
    "export",
    "replay",
    "doctor",
)
"""Each is the object `command` of the module of its name (`list_` and so on where the name is taken)."""

BROKEN_PIPE = 141
"""As the shell says of a program that SIGPIPE ended: 1 would say that a trial failed."""

EPILOG = (
    "Exit status: 0 all went well; 1 a trial failed or was partial; 2 the command, a file or the configuration "
    "is wrong; 130 interrupted."
)


class ReaderGoneError(Exception):
    """The reader of standard output has gone (`| head`)."""


class LazyGroup(click.Group):
    """Imports a command's module when the command is asked for; plugins add theirs."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Our own commands in the order in which people use them, then those of plugins."""
        registry = _session(ctx).plugins.registry("command")
        return [*COMMANDS, *(entry.name for entry in registry)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Find a command by its name; None where there is none."""
        if cmd_name in COMMANDS:
            command: click.Command = importlib.import_module(f"harness.cli.{cmd_name}").command
            return command
        registry = _session(ctx).plugins.registry("command")
        if cmd_name in registry:
            loaded: click.Command = registry.get(cmd_name).load()
            return loaded
        return None

    def invoke(self, ctx: click.Context) -> object:
        """Call the command; a broken pipe goes by another name, since click would make exit status 1 of it."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise ReaderGoneError from error

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command of a call; an unknown one is told the nearest names."""
        if args and self.get_command(ctx, args[0]) is None:
            raise click.UsageError(
                f"there is no command {args[0]!r} ({nearest(args[0], self.list_commands(ctx))})", ctx
            )
        return super().resolve_command(ctx, args)


def _session(ctx: click.Context) -> Session:
    """The session of a call, made of the group's options: commands of plugins are looked up before the group runs."""
    if ctx.obj is None:
        said = ctx.params.get
        choice = PluginChoice(said("files", ()), said("without", ()), said("strict", False))
        ctx.obj = Session(choice, quiet=said("quiet", False))
    found: Session = ctx.obj
    return found


def _version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"harness {version('adapt-harness')}")
        ctx.exit()


# Those that choose plugins are eager: --help behind them shows the commands that these plugins add.
@click.group(
    cls=LazyGroup, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}
)
@click.option("--plugin", "files", is_eager=True, multiple=True, metavar="FILE.py", help="Load this plugin file too.")
@click.option("--without", is_eager=True, multiple=True, metavar="NAME", help="Leave an installed plugin out.")
@click.option("--strict", is_eager=True, is_flag=True, help="A broken plugin is an error instead of being set aside.")
@click.option("--debug", is_flag=True, help="Show tracebacks and debug logs.")
@click.option("-q", "--quiet", is_flag=True, help="Show warnings and errors only.")
@click.option(
    "--version", is_flag=True, expose_value=False, is_eager=True, callback=_version, help="Show the version and exit."
)
@click.pass_context
def group(ctx: click.Context, /, *, debug: bool, quiet: bool, **_: object) -> None:
    """Prompt it, give it context, or fine-tune it? Compare models x tasks x adaptation strategies in one table."""
    logging.getLogger("harness").setLevel(logging.DEBUG if debug else logging.WARNING if quiet else logging.INFO)
    _session(ctx)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with its status."""
    if sys.stderr is None:  # closed by the caller
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - for as long as the process lives
    if sys.stdout is None:
        click.echo("error: standard output is closed: there is nowhere to put the result", err=True)
        sys.exit(1)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a sign that the terminal lacks is no reason to lose the table
    logging.basicConfig(stream=sys.stderr, format="%(message)s", level=logging.WARNING)
    signal.signal(signal.SIGTERM, _interrupt)
    status = call(sys.argv[1:] if arguments is None else arguments)
    leave()
    sys.exit(status)


def call(arguments: list[str]) -> int:
    """Run a command; its exit status."""
    try:
        status: Any = group.main(arguments, prog_name="harness", standalone_mode=False)
        sys.stdout.flush()  # what can't be written is told now, not at exit
    except HarnessError as error:
        return _report(str(error), error, error.exit_code, arguments)
    except click.ClickException as error:
        error.show(sys.stderr)
        return 2
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted: what was done is kept", err=True)
        return 130
    except (BrokenPipeError, ReaderGoneError):
        # Nothing is left to say, also not at exit.
        _discard_output()
        return BROKEN_PIPE
    except OSError as error:
        # The machine's refusal of what was asked for (a name too long, a full disk behind standard output), not a bug.
        _discard_output()
        named = f"{error.filename}: " if error.filename else ""
        return _report(
            f"{named}{error.strerror or error}", error, 2 if error.errno == errno.ENAMETOOLONG else 1, arguments
        )
    return status if isinstance(status, int) else 0


def _discard_output() -> None:
    with contextlib.suppress(OSError, ValueError):  # it has no descriptor where a test stands in for it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _report(line: str, error: Exception, code: int, arguments: list[str]) -> int:
    if "--debug" in arguments:
        logging.getLogger("harness").error("", exc_info=error)
    click.echo(f"error: {' '.join(line.split())}", err=True)
    return code


def _interrupt(_: int, __: FrameType | None) -> None:
    raise KeyboardInterrupt
