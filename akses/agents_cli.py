"""`akses agents add | list | disable | enable | invite | account`: who works at the helpdesk; the first admin comes in by this.

Lives here: the words. Must not live here: the deeds (`helpdesk/agents.py`). It works beside a running product, also on SQLite.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Final

import typer

if TYPE_CHECKING:
    from helpdesk.agents import Agent
    from helpdesk.service import People

app = typer.Typer(help="Who works at the helpdesk, and what they may do there.", no_args_is_help=True)

_WHY: Final = {
    "login": "A user name is 2 to 120 lower-case letters, digits, dots and dashes, or an e-mail address.",
    "name": "A name is 1 to 60 characters.",
    "taken": "There is an agent of this user name already.",
    "account_form": "An account is written telegram:12345 or chatwoot:12 (docs/helpdesk.md says where to find the number).",
    "account_taken": "This account is another agent's; take it from them first: akses agents account LOGIN ACCOUNT --remove",
    "unknown": "There is no agent of this user name: akses agents list",
    "disabled": "This agent is shut out, and no invitation would let them in: akses agents enable LOGIN, then invite them.",
    "last_admin": "This is the last admin: make somebody else an admin first.",
}

Login = Annotated[str, typer.Argument(help="The agent's user name, or e-mail address.")]


class _Trouble(Exception):
    """What is wrong and what to do."""


def _run(what: Callable[[People], Awaitable[None]]) -> None:
    from helpdesk.agents import AgentRefused
    from helpdesk.roles import UnknownRole

    async def do() -> None:
        import backend
        from akses.desk import migrate, open_people
        from akses.keyring import Keyring
        from akses.logs import configure
        from akses.settings import load

        settings = load("records")
        configure("WARNING", settings.log_format)
        if settings.embedded:
            # The product itself may not have run yet, and every deed is a line of its audit.
            backend.migrate(settings.accounts_url)
            migrate(settings.accounts_url)
        async with open_people(settings, Keyring.parse(settings.encryption_keys)) as desk:
            await what(desk)

    try:
        asyncio.run(do())
    except (_Trouble, UnknownRole) as trouble:
        typer.echo(f"{trouble}", err=True)
        raise typer.Exit(2) from None
    except AgentRefused as refused:
        typer.echo(_WHY[refused.code], err=True)
        raise typer.Exit(2) from None


async def _found(desk: People, login: str) -> Agent:
    agent = await desk.agents.by_login(login)
    if agent is None:
        raise _Trouble(_WHY["unknown"])
    return agent


def _invited(desk: People, name: str, token: str) -> None:
    from helpdesk.console.managing import invitation_link

    typer.echo(f"Invitation for {name}, good for 72 hours, once. Hand it over on a safe channel:")
    typer.echo(invitation_link(desk.config, token))


@app.command()
def add(
    login: Login,
    *,
    name: Annotated[str, typer.Option(help="As colleagues and investors see it.")],
    role: Annotated[list[str], typer.Option(help="viewer, agent, supervisor, admin or auditor; several times for several.")],
    language: Annotated[str, typer.Option(help="The console's: id or en.")] = "id",
) -> None:
    """Add an agent and print the link of their invitation, where they set a password and an authenticator."""

    async def do(desk: People) -> None:
        from dialogs.texts import LANGUAGES
        from helpdesk.roles import parse

        spoken = next((each for each in LANGUAGES if each == language.strip().lower()), None)
        if spoken is None:
            raise _Trouble(f"a language is one of: {', '.join(LANGUAGES)}")
        agent, token = await desk.agents.add(login, name, parse(role), language=spoken)
        _invited(desk, agent.name, token)

    _run(do)


@app.command()
def invite(login: Login) -> None:
    """Print a new invitation for somebody who lost their password or phone; what they had opens nothing any more."""

    async def do(desk: People) -> None:
        agent = await _found(desk, login)
        _invited(desk, agent.name, await desk.agents.invite(agent.id))

    _run(do)


@app.command("list")
def list_() -> None:
    """Say who works at the helpdesk."""

    async def do(desk: People) -> None:
        for agent in await desk.agents.all():
            state = "shut out" if agent.disabled_at else "" if agent.ready else "invited"
            typer.echo("\t".join((agent.login, agent.name, ",".join(agent.roles), state)).rstrip())

    _run(do)


@app.command()
def account(
    login: Login,
    account: Annotated[str, typer.Argument(help="Who they are there: telegram:12345. Without it: what is known.")] = "",
    *,
    remove: Annotated[bool, typer.Option("--remove", help="They may not act from there any more.")] = False,
) -> None:
    """Let an agent act from the Telegram group (or another bridge): what this account does there, they do."""

    async def do(desk: People) -> None:
        from helpdesk.bridges.accounts import Account, AccountRefused

        agent = await _found(desk, login)
        if not account:
            for each in await desk.accounts.of(agent):
                typer.echo(f"{each}")
            return
        try:
            wanted = Account.parse(account)
            if not remove:
                await desk.accounts.bind(agent, wanted)
            elif not await desk.accounts.unbind(agent, wanted):
                raise _Trouble(f"{wanted} is not {agent.name}'s.")
        except AccountRefused as refused:
            raise _Trouble(_WHY[f"account_{refused.code}"]) from None
        typer.echo(f"{wanted} is {agent.name}{'' if not remove else ' no more'}.")

    _run(do)


@app.command()
def disable(login: Login) -> None:
    """Shut an agent out; their sessions end at once."""

    async def do(desk: People) -> None:
        agent = await _found(desk, login)
        await desk.agents.disable(agent.id)
        typer.echo(f"{agent.name} is shut out.")

    _run(do)


@app.command()
def enable(login: Login) -> None:
    """Let an agent in again who was shut out."""

    async def do(desk: People) -> None:
        agent = await _found(desk, login)
        await desk.agents.enable(agent.id)
        typer.echo(f"{agent.name} may sign in again.")

    _run(do)
