"""An HL7 v2 peer over MLLP inside TLS, where both sides show a certificate."""

from __future__ import annotations

import ssl
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from adapter_conformance.fakes.certificates import Authority
from adapter_conformance.peers.mllp import MllpPeer


class MllpTlsPeer(MllpPeer):
    """It talks to nobody who shows no certificate of its authority."""

    def __init__(self) -> None:
        super().__init__()
        papers = _papers()
        self.server_tls = papers.theirs(server=True)
        self.client_tls = papers.theirs(server=False)

    async def start(self) -> None:
        """Listen, and say which certificate is the plugin's."""
        await super().start()
        papers = _papers()
        self.values = {
            **self.values,
            "authority": papers.authority,
            "certificate": papers.certificate,
            "certificate_key": papers.key,
        }


@dataclass(frozen=True, slots=True)
class _Papers:
    """PEM texts: the authority's certificate, the plugin's own with its key, and the peer's."""

    authority: str
    certificate: str
    key: str
    peer: str

    def theirs(self, *, server: bool) -> ssl.SSLContext:
        """A context of the peer's, for one side of a connection."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=self.authority)
        context.verify_mode = ssl.CERT_REQUIRED
        with tempfile.TemporaryDirectory(prefix="kit-") as folder:
            chain = Path(folder, "chain.pem")  # the standard library reads these from files alone
            chain.write_text(self.peer)
            context.load_cert_chain(chain)
        return context


@cache
def _papers() -> _Papers:
    with tempfile.TemporaryDirectory(prefix="kit-") as folder:
        authority = Authority(Path(folder))
        ours = authority.issue("127.0.0.1")
        certificate, key = ours.certificate.read_text(), ours.key.read_text()
        theirs = authority.issue("127.0.0.1")
        peer = theirs.certificate.read_text() + theirs.key.read_text()
        return _Papers(authority.certificate.read_text(), certificate, key, peer)
