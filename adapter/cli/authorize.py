"""`adapter sites authorize`: a person lets us in at a peer that speaks OAuth 1.0a."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from adapter.cli.printing import JsonOption, emit, say
from adapter.cli.settings import DEFAULT, ConfigOption, read

if TYPE_CHECKING:
    from adapter.exchange.service import Service

PATIENCE = 600.0


def authorize(
    name: Annotated[str, typer.Argument(metavar="SITE", help="The site's name.")],
    callback: Annotated[
        int | None,
        typer.Option(
            metavar="PORT",
            help="Take the answer on this port of loopback (0: any free one) instead of asking "
            "for it; for a browser on this machine.",
        ),
    ] = None,
    config: ConfigOption = DEFAULT,
    as_json: JsonOption = False,
) -> None:
    """Let a person authorize us at a site's peer (OAuth 1.0a); also while the service runs.

    Prints an address to open in a browser. There a person with an account at the peer consents, and
    gets a code, which is read from standard input. The token that it is traded for is kept
    encrypted in the store and never printed; what waited for it is tried at once.

    Example:

      adapter sites authorize clinic --callback 0
    """
    from adapter.plugin.errors import ConfigError

    settings = read(config)
    if name not in settings.sites:
        raise ConfigError(
            "site.unknown",
            f"no site {name} is configured",
            fix="See the names with: adapter sites list",
        )
    from adapter.cli.logs import configure
    from adapter.exchange.service import Service
    from adapter.portal.pages import Pages

    configure(json=as_json, level="WARNING")

    async def run() -> None:
        service = Service.open(settings, pages=Pages())
        try:
            if callback is None:
                await _by_code(service, name, as_json=as_json)
            else:
                await _by_callback(service, name, callback, as_json=as_json)
        finally:
            await service.stop(1.0)

    asyncio.run(run())
    if as_json:
        emit({"site": name, "state": "authorized"})
    else:
        say(f"{name} is authorized; the token is in the store. Try it: adapter sites check")


async def _by_code(service: Service, name: str, *, as_json: bool) -> None:
    from adapter.exchange.authorizing import consenting
    from adapter.security.outgoing.authorization import begin, finish

    async with consenting(service, name) as (settings, around):
        invitation = await begin(settings, around)
        _invite(name, invitation.authorize_url, as_json=as_json)
        if not as_json:
            say("Then type the code that it shows:")
        code = (await asyncio.to_thread(sys.stdin.readline)).strip()
        if not code:
            raise _no_answer(name)
        await finish(settings, around, code)
    await _kept(service, name)


async def _by_callback(service: Service, name: str, port: int, *, as_json: bool) -> None:
    from adapter.exchange.authorizing import callback, consenting
    from adapter.security.outgoing.authorization import begin, finish

    async with callback(port) as back, consenting(service, name) as (settings, around):
        invitation = await begin(settings, around, callback=back.address)
        _invite(name, invitation.authorize_url, as_json=as_json)
        try:
            async with asyncio.timeout(PATIENCE):
                token, code = await back.wait()
        except TimeoutError:
            raise _no_answer(name) from None
        await finish(settings, around, code, token=token)
    await _kept(service, name)


def _invite(name: str, url: str, *, as_json: bool) -> None:
    if as_json:
        emit({"site": name, "authorize_url": url})
        return
    say("Open this address in a browser, and consent there as the person whose account is used:")
    print(url, flush=True)


async def _kept(service: Service, name: str) -> None:
    from adapter.exchange.authorizing import authorized

    organization = service.config.organization
    await service.store.write(lambda tx: authorized(tx, name, organization, service.now()))


def _no_answer(name: str) -> Exception:
    from adapter.plugin.errors import AuthError

    return AuthError(
        "auth.no-answer",
        f"nobody answered for {name}; nothing was changed",
        fix=f"Run again: adapter sites authorize {name}",
    )
