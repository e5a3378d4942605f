"""`cofounder-server admin`: who is an admin. The first one is made here; later ones may be made by admins, too."""

import asyncio

import click

from cofounder_server import stores

REASON = click.option("--reason", required=True, help="Why. It is written down with the change.")


@click.group("admin")
def admin() -> None:
    """Says who is an admin.

    Admins see everybody's usage, set plans, models and limits of users, and suspend them.

    \b
    cofounder-server admin grant USER --reason "runs support"
    cofounder-server admin revoke USER --reason "left the team"

    USER is the subject of the user's tokens. It holds from their next call on. Nobody is an admin by default, also not
    on one machine. Works on DATABASE_URL; without it, on the stack over $COFOUNDER_DATA (or .cofounder).
    """


@admin.command()
@click.argument("user")
@REASON
def grant(user: str, reason: str) -> None:
    """Makes USER an admin."""
    _set(user, admin=True, reason=reason)
    click.echo(f"{user} is an admin")


@admin.command()
@click.argument("user")
@REASON
def revoke(user: str, reason: str) -> None:
    """Makes USER no longer an admin."""
    _set(user, admin=False, reason=reason)
    click.echo(f"{user} is no admin")


def _set(user: str, *, admin: bool, reason: str) -> None:
    from cofounder_server import db, errors
    from cofounder_server.app import admins

    settings = stores.settings("DATABASE_URL")
    try:
        asyncio.run(admins.set_admin(settings, user, admin=admin, reason=reason))
    except errors.InvalidRequest as fault:
        raise click.UsageError(fault.text) from fault
    except (errors.DependencyUnavailable, db.CannotConnectError) as fault:
        raise click.ClickException(str(fault)) from fault
