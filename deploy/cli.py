"""`renkei`: the operator's command. Exits with 0 if all is well, 1 if not, 2 on wrong usage."""

import asyncio
import json
import os
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any, Final

import structlog
import typer
from nats.errors import Error as NatsError
from rich.console import Console
from rich.table import Table
from sqlalchemy.exc import DBAPIError

from deploy.operations.services import DATABASES, SERVICES, all_services, service

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help=__doc__,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
dead_letters_app = typer.Typer(no_args_is_help=False, help="Events that a consumer gave up.")
app.add_typer(dead_letters_app, name="dead-letters")
webhooks_app = typer.Typer(no_args_is_help=True, help="For developers of receivers.")
app.add_typer(webhooks_app, name="webhooks")

NATS_SECONDS: Final = 5
"""A person waits: better to say soon that NATS is away."""

ServiceName = Annotated[str, typer.Argument(metavar="SERVICE", help=", ".join(SERVICES))]


def run(work: Coroutine[Any, Any, int]) -> None:
    """Do the work; an outage is told in one line, not in fifty."""
    try:
        code = asyncio.run(work)
    except (OSError, TimeoutError, NatsError, DBAPIError) as error:
        print(f"PostgreSQL or NATS cannot be reached: {str(error) or repr(error)}", file=sys.stderr)
        code = 1
    raise typer.Exit(code)


def known(name: str) -> str:
    if name not in SERVICES:
        raise typer.BadParameter(f"{name!r} is none of {', '.join(SERVICES)}")
    return name


@app.command()
def migrate() -> None:
    """Bring every service's database to the form that this release needs."""
    from deploy.operations.migrating import migrate as upgrade

    for name in DATABASES:
        upgrade(name)


@app.command()
def init(
    member_file: Annotated[
        Path, typer.Option(help="JSON: slug, kind, name, …, member_since, administrator")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Open the network: its host, the host's first administrator and client, and the portal.

    The client's secret is printed now and never again. The portal is registered if its settings say
    as what.
    """
    from deploy.operations.opening import open_from_text

    run(open_from_text(member_file.read_text(encoding="utf-8"), as_json=as_json))


@app.command()
def register_application(
    name: Annotated[str, typer.Argument(help="Such as portal.")],
    redirect_uri: Annotated[list[str], typer.Option(help="Where browsers are sent back to.")],
    post_logout_redirect_uri: Annotated[
        list[str] | None, typer.Option(help="The same after a logout.")
    ] = None,
    backchannel_logout_uri: Annotated[
        str | None, typer.Option(help="Where it is told that a session in it has ended.")
    ] = None,
    keys_file: Annotated[
        Path | None, typer.Option(help="Public keys as a JWK set; without, it gets a secret.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Register a part of this platform that officials of all members log in to.

    Asked again with the same name, it takes over addresses and keys. A secret is printed only once.
    """
    from deploy.operations import applications

    keys = None if keys_file is None else json.loads(keys_file.read_text(encoding="utf-8"))
    run(
        applications.register_application(
            name,
            redirect_uris=redirect_uri,
            post_logout_redirect_uris=post_logout_redirect_uri or [],
            backchannel_logout_uri=backchannel_logout_uri,
            keys=keys,
            as_json=as_json,
        )
    )


@app.command()
def register_portal(
    if_open: Annotated[
        bool, typer.Option("--if-open", help="Do nothing as long as there is no network.")
    ] = False,
) -> None:
    """Register the portal as its settings say; again when its address or key has changed.

    Prints its client id.
    """
    from deploy.operations import applications

    run(applications.register_portal(if_open=if_open))


@webhooks_app.command("listen")
def listen_to_webhooks(
    port: Annotated[int, typer.Option(min=0, max=65_535, help="On this machine only.")] = 4_000,
    secret: Annotated[
        list[str] | None,
        typer.Option(
            envvar="RENKEI_WEBHOOK_SECRET",
            help="whsec_…, to verify v1 with; can be repeated while secrets change.",
        ),
    ] = None,
    jwks: Annotated[
        str | None,
        typer.Option(help="Address of the endpoint's public keys, to verify v1a with."),
    ] = None,
    status: Annotated[
        int, typer.Option(min=200, max=599, help="What is answered to what is right.")
    ] = 204,
    forward_to: Annotated[
        str | None, typer.Option(help="Pass on what is right, and answer what comes back.")
    ] = None,
    bodies: Annotated[bool, typer.Option("--bodies", help="Print whole messages.")] = False,
) -> None:
    """Receive webhooks on this machine: agree to them, verify them, and print what comes."""
    from aiohttp import ClientError

    from deploy.operations.listening import listen

    try:
        asyncio.run(
            listen(
                port=port,
                secrets=secret or [],
                jwks=jwks,
                status=status,
                forward_to=forward_to,
                bodies=bodies,
            )
        )
    except KeyboardInterrupt:
        raise typer.Exit(0) from None
    except (OSError, TimeoutError, ClientError) as error:
        print(str(error) or repr(error), file=sys.stderr)
        raise typer.Exit(1) from None


@app.command()
def verify_audit(
    member: Annotated[
        list[str] | None, typer.Option(help="Only the trail of this member; can be repeated.")
    ] = None,
    heads: Annotated[
        Path | None,
        typer.Option(help="What this command printed before, and was kept outside the platform."),
    ] = None,
) -> None:
    """Follow the audit trail of each member, and name the first bad entry. Exit code 1 if any is.

    For each good trail it prints member, length and hash. Keep that where nobody is who can write
    to the database: a trail that somebody wrote anew from some entry on can be told only by it.
    """
    from deploy.operations import auditing

    try:
        kept = {} if heads is None else auditing.read_heads(heads)
    except (OSError, ValueError) as error:
        raise typer.BadParameter(str(error)) from error
    run(auditing.verify(member or [], kept))


@app.command()
def rotate_keys(
    now: Annotated[
        bool, typer.Option("--now", help="Do not wait until every service knows the new keys.")
    ] = False,
) -> None:
    """Replace the keys that tokens are signed with; the tokens that are out stay good.

    The new keys are published at once and sign some minutes later. With --now they sign as soon as
    the processes of the members service publish them: for keys that others may have seen.
    """
    from deploy.operations.keys import rotate

    run(rotate(at_once=now))


@app.command()
def dump(name: ServiceName) -> None:
    """Print everything that a service knows, as sorted JSON."""
    from deploy.operations.dumping import canonical
    from deploy.operations.dumping import dump as picture

    async def work() -> int:
        print(canonical(await picture(service(known(name)))))
        return 0

    run(work())


@app.command()
def reconcile(
    repair: Annotated[bool, typer.Option(help="Publish again what is missing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Compare outboxes, streams and consumers; name the gaps. Exit code 1 if there are any."""
    run(_reconcile(repair=repair, as_json=as_json))


async def _reconcile(*, repair: bool, as_json: bool) -> int:
    from dataclasses import asdict

    from deploy.operations.reconciling import publish_again
    from deploy.operations.reconciling import reconcile as compare
    from shared.messaging.broker import connected

    services = all_services()
    async with connected(
        services[0].settings, name="renkei-reconcile", first_seconds=NATS_SECONDS
    ) as nats:
        reports = [await compare(found, services, nats) for found in services]
        if as_json:
            print(json.dumps([asdict(report) for report in reports], default=str, indent=1))
        else:
            _show(reports)
        gaps = [(report.service, gap) for report in reports for gap in report.gaps]
        if repair:
            for found in services:
                missing = [
                    event
                    for name, gap in gaps
                    if name == found.name and gap.what != "unknown to the service"
                    for event in gap.events
                ]
                if missing:
                    count = await publish_again(found, missing, nats)
                    print(f"{found.name}: published {count} events again", file=sys.stderr)
    return 1 if gaps else 0


def _show(reports: list[Any]) -> None:
    table = Table("service", "sent", "waiting", "on the stream", "consumer", "behind", "dead")
    for report in reports:
        table.add_row(report.service, str(report.logged), str(report.waiting), str(report.streamed))
        for consumer in report.consumers:
            table.add_row(
                "", "", "", "", consumer.durable, str(consumer.behind), str(consumer.dead_letters)
            )
    console = Console()
    console.print(table)
    for report in reports:
        for gap in report.gaps:
            console.print(f"[red]{gap.where}: {len(gap.events)} events {gap.what}[/red]")
            for event in gap.events[:20]:
                console.print(f"  {event}")


@app.command()
def replay(name: ServiceName) -> None:
    """Fill the read models of a service again from the streams; everybody may go on working."""
    from deploy.operations.replaying import replay as rebuild
    from shared.messaging.broker import connected

    async def work() -> int:
        found = service(known(name))
        async with connected(
            found.settings, name="renkei-replay", first_seconds=NATS_SECONDS
        ) as nats:
            for table, rows in (await rebuild(found, nats)).items():
                print(f"{table}: {rows} rows")
        return 0

    run(work())


@dead_letters_app.callback(invoke_without_command=True)
def dead_letters(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        list_dead_letters()


@dead_letters_app.command("list")
def list_dead_letters() -> None:
    """Show what waits. Exit code 1 if anything does."""
    from deploy.operations.dead_letters import waiting

    async def work() -> int:
        table = Table("service", "number", "consumer", "subject", "failed", "attempts", "reason")
        for found in all_services():
            async with found.database() as (_, sessions), sessions() as session:
                for letter in await waiting(session):
                    table.add_row(
                        found.name,
                        str(letter.id),
                        letter.consumer,
                        letter.subject,
                        f"{letter.failed_at:%Y-%m-%d %H:%M:%S}",
                        str(letter.attempts),
                        letter.reason[:200],
                    )
        Console().print(table)
        return 1 if table.row_count else 0

    run(work())


@dead_letters_app.command("retry")
def retry_dead_letter(name: ServiceName, number: int) -> None:
    """Handle an event once more."""
    _settle(name, number, "retry")


@dead_letters_app.command("drop")
def drop_dead_letter(name: ServiceName, number: int) -> None:
    """Let an event go; its letter stays as history."""
    _settle(name, number, "drop")


def _settle(name: str, number: int, how: str) -> None:
    from deploy.operations import dead_letters as letters

    async def work() -> int:
        try:
            await (letters.retry if how == "retry" else letters.drop)(service(known(name)), number)
        except Exception as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
            return 1
        return 0

    run(work())


@app.command()
def doctor() -> None:
    """Look for what is not right. Exit code 1 if something is broken."""
    from deploy.operations.doctor import examine
    from shared.messaging.broker import connected

    async def work() -> int:
        services = all_services()
        marks = {"ok": "[green]ok[/green]", "warning": "[yellow]!![/yellow]"}
        broken = 0
        console = Console()
        async with connected(
            services[0].settings, name="renkei-doctor", first_seconds=NATS_SECONDS
        ) as nats:
            monitor = os.environ.get("RENKEI_NATS_MONITOR_URL")
            async for finding in examine(services, nats, monitor):
                broken += finding.verdict == "error"
                mark = marks.get(finding.verdict, "[red]no[/red]")
                console.print(f"{mark}  {finding.what}: {finding.detail}")
        return 1 if broken else 0

    run(work())


@app.command()
def catalogue(
    check: Annotated[bool, typer.Option(help="Write nothing; say what is out of date.")] = False,
) -> None:
    """Write the event catalogue, AsyncAPI and OpenAPI documents into `docs/`."""
    from deploy.catalogue import write_documents

    stale = write_documents(check=check)
    for path in stale:
        print(f"{'out of date' if check else 'written'}: {path}")
    raise typer.Exit(1 if check and stale else 0)


def main() -> None:
    # Standard output is the answer, which programs read too.
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    app()


if __name__ == "__main__":
    main()
