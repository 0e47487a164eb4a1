"""`tidegate spool ...`: what the spool holds, for whom, and what can be done about it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.run import ConfigOption

JsonOption = Annotated[bool, typer.Option("--json", help="Write JSON, for programs.")]


def spool() -> typer.Typer:
    """The group of commands."""
    group = typer.Typer(name="spool", no_args_is_help=True, help="Look at the spool, the durable log between listeners and forwarders.")
    group.command(epilog="Example: tidegate spool status --json")(status)
    group.command("list", epilog='Example: tidegate spool list --destination sensor --event-code 4776 --since "2 h"')(list_)
    group.command(epilog="Example: tidegate spool show 6a1f7bb4-7c39-5a0e-8a35-0f1f3b7f8f0e")(show)
    group.command(epilog="Example: tidegate spool verify && echo whole")(verify)
    group.command(epilog="Example: tidegate spool backup /srv/backup/spool-$(date +%F).sqlite")(backup)
    group.command(epilog="Example: tidegate spool requeue sensor --reason mapping-conflict")(requeue)
    group.command(epilog="Example: tidegate spool forget old-sensor")(forget)
    return group


def status(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Say what the spool holds, how far each destination got and how it fares; asks the running gateway, or reads the files if none runs."""
    import os

    import trio

    from gateway.config import load, locate

    loaded = load(locate(config, os.environ), os.environ)

    from gateway.spool_report import read_status, render_status

    report = trio.run(read_status, loaded)
    typer.echo(render_status(report, as_json=as_json), nl=False)


def list_(
    named: Annotated[str | None, typer.Argument(metavar="[DESTINATION]", help="The same as --destination.")] = None,
    *,
    dead: Annotated[bool, typer.Option("--dead", help="List dead letters instead: what destinations refused, by destination and reason.")] = False,
    destination: Annotated[str | None, typer.Option(help="Only what this destination has yet to take; with --dead, what it refused.")] = None,
    event_code: Annotated[list[str] | None, typer.Option(help="Only these event codes; may be given again.")] = None,
    computer: Annotated[list[str] | None, typer.Option(help="Only these computers, `*.contoso.example` for many; may be given again.")] = None,
    since: Annotated[str | None, typer.Option(help='Only what was committed since: "2 h" ago, or a time like 2026-01-31T12:00:00Z.')] = None,
    limit: Annotated[int, typer.Option(min=1, help="The newest so many.")] = 100,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the records in the spool, oldest first: commit time, number, uid, event code, class, computer."""
    import os

    from gateway.config import load, locate

    loaded = load(locate(config, os.environ), os.environ)

    from gateway.spool_letters import list_letters
    from gateway.spool_records import Choice, list_records

    wanted = named or destination
    if dead:
        lines = list(list_letters(loaded, wanted, limit=limit, as_json=as_json))
    else:
        lines = list_records(loaded, Choice(wanted, tuple(event_code or ()), tuple(computer or ()), since, limit), as_json=as_json)
    typer.echo("".join(f"{line}\n" for line in lines), nl=False)


def show(
    uid: Annotated[str, typer.Argument(metavar="UID", help="metadata.uid of a record.")],
    config: ConfigOption = None,
) -> None:
    """Show a record as JSON: what it says, where it lies, which destinations have passed it, and what those said that refused it."""
    import os

    from gateway.config import load, locate

    loaded = load(locate(config, os.environ), os.environ)

    from gateway.spool_records import show_record

    typer.echo(show_record(loaded, uid))


def verify(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Verify every row by its checksum, and count; exits with 1 if anything is damaged. A gateway may be running."""
    import os

    from gateway.config import load, locate
    from gateway.exit_code import ExitCode

    loaded = load(locate(config, os.environ), os.environ)

    from gateway.spool_records import render_verification
    from gateway.spool_records import verify as verify_spool

    verification = verify_spool(loaded)
    typer.echo(render_verification(verification, as_json=as_json))
    if verification.damage:
        raise typer.Exit(ExitCode.FAILED)


def backup(
    target: Annotated[Path, typer.Argument(metavar="FILE", help="A new file.")],
    config: ConfigOption = None,
) -> None:
    """Copy the spool as of now to one file, and verify the copy. A gateway may be running; docs/operate/backup.md says how to put it back."""
    import os

    from gateway.config import load, locate

    loaded = load(locate(config, os.environ), os.environ)

    from gateway.spool_records import render_backup
    from pipeline.spool.backup import back_up

    typer.echo(render_backup(target, back_up(loaded.gateway.state_dir, target)))


def requeue(
    destination: Annotated[str, typer.Argument(metavar="DESTINATION", help="Whose dead letters.")],
    uids: Annotated[list[str] | None, typer.Argument(metavar="[UID]...", help="Only these; all of them unless given.")] = None,
    reason: Annotated[str | None, typer.Option(help="Only those refused for this reason, as `spool list --dead` has it.")] = None,
    config: ConfigOption = None,
) -> None:
    """Put dead letters before their destination once more, after whatever made it refuse them is mended; it gets them before anything else."""
    import os

    import trio

    from gateway.config import load, locate

    loaded = load(locate(config, os.environ), os.environ)

    from gateway.spool_letters import requeue as requeue_letters

    count = trio.run(requeue_letters, loaded, destination, reason, uids or [])
    typer.echo(f"{count} requeued")


def forget(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The destination, as `spool status` names it.")],
    config: ConfigOption = None,
) -> None:
    """Give up the place of a destination that has left the configuration, and with it the records kept for it alone."""
    import os

    import trio

    from gateway.config import load, locate

    loaded = load(locate(config, os.environ), os.environ)

    from gateway.spool_report import forget_consumer

    typer.echo(trio.run(forget_consumer, loaded, name))
