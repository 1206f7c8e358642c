"""Who may use the FHIR API: nobody, holders of an access token, or, for trying it out, anyone.

A handler asks `admitted` for a `Door`, and works inside one store transaction as a `Caller`, who
sees what its organization may see and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from starlette.exceptions import HTTPException
from starlette.requests import Request

from adapter.api.caller import Caller
from adapter.exchange.service import Service
from adapter.security.incoming import access_tokens
from adapter.security.incoming.access_tokens import Access
from adapter.store.transaction import Transaction

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Door:
    """The service, for one request that was let in."""

    service: Service
    access: Access | None

    async def read(self, work: Callable[[Caller], T]) -> T:
        """Look in one transaction, which also writes down that somebody looked.

        Raises:
            StoreError: the audit cannot be written, or the store not be read: nothing is shown.
        """
        return await self.service.store.write(lambda tx: work(self._caller(tx)))

    async def write(self, work: Callable[[Caller], T]) -> T:
        """Write in one transaction, then wake whoever delivers."""
        done = await self.service.store.write(lambda tx: work(self._caller(tx)))
        self.service.courier.wake.set()
        self.service.notifier.wake.set()
        return done

    def _caller(self, tx: Transaction) -> Caller:
        service = self.service
        if self.access is None:
            return Caller(service=service, tx=tx, at=service.now())
        client = tx.clients.get(self.access.client)
        if client is None or client.disabled_at is not None:
            raise _closed("The client is not registered here any more.", "invalid_token")
        return Caller(
            service=service, tx=tx, at=service.now(), client=client, scopes=self.access.scopes
        )


def admitted(request: Request) -> Door:
    """The way in, if this request may use the API.

    Raises:
        HTTPException: 401, the API is closed, or the access token is missing, wrong or too old.
    """
    service: Service = request.app.state.service
    mode = service.config.server.auth
    if mode == "open":
        return Door(service, None)
    if mode == "none":
        raise HTTPException(
            401,
            'The FHIR API is closed: [server] auth = "none". Set auth = "smart" and register '
            'clients; or, to try it out on loopback with test sites, auth = "open".',
        )
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise _closed(f"An access token is needed; ask for one at {service.base_url()}/token.")
    access = access_tokens.read(service.keyring, token.strip(), service.now())
    if access is None:
        raise _closed("The access token is wrong or too old; ask for a new one.", "invalid_token")
    return Door(service, access)


def _closed(text: str, error: str = "") -> HTTPException:
    """401 with the challenge of RFC 6750 3."""
    challenge = f'Bearer error="{error}"' if error else "Bearer"
    return HTTPException(401, text, {"WWW-Authenticate": challenge})
