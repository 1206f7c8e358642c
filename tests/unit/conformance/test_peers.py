"""A peer that cannot be had is said to be so, with what to do about it."""

from __future__ import annotations

import sys

import pytest

from adapter_conformance.peers import make_peer
from adapter_conformance.requirement import NotRun

SFTP = ("adapter_conformance.peers.sftp", "adapter_conformance.fakes.sftp_server")


def test_a_peer_without_its_library_is_not_run_and_names_the_extra(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module in SFTP:
        monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.setitem(sys.modules, "asyncssh", None)

    with pytest.raises(NotRun, match=r"needs asyncssh; install it with: pip install '.*\[conform"):
        make_peer("sftp")


@pytest.mark.parametrize("name", ["ftp", "no.such.module:Peer", "adapter_conformance.peers:Nobody"])
def test_a_peer_that_is_not_there_is_a_wrong_name(name: str) -> None:
    with pytest.raises(ValueError, match=f"there is no peer {name}"):
        make_peer(name)
