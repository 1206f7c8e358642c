"""A fake SFTP server on loopback: real SSH (asyncssh) over a folder of this machine.

::

    async with SftpServer(tmp_path, password="synthetic") as server:
        server.fail_next("full-disk")      # the next connection; or server.faults.always = …
        ...                                # 127.0.0.1, server.port, server.host_key
        assert (tmp_path / "out" / "1.json").exists()

Needs the extra ``conformance`` of the adapter's distribution.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Collection
from pathlib import Path
from typing import Any

import asyncssh

from adapter_conformance.fakes.on_socket import Closable, OnSocket
from adapter_conformance.fakes.own_words import OWN

FAULTS = {
    "hang-up": "it closes the connection before it says anything",
    "nonsense": "it answers like a web server",
    "other-host-key": "it shows another host key than its own",
    "too-many": "it ends the connection for the number of others (RFC 4253: reason 12)",
    "gone": "it knows nobody of that name any more, and ends the connection (reason 15)",
    "login-refused": "it lets in nobody",
    "no-sftp": "it lets in, and offers no SFTP",
    "failing": "it answers every operation with SSH_FX_FAILURE",
    "no-folder": "it has none of the folders and files that it is asked for",
    "vanishing": "it lists files, and says of each that is read that it is not there",
    "refused": "it takes no file of that name: SSH_FX_INVALID_FILENAME, which version 3 has not, "
    "so that a client reads SSH_FX_FAILURE; other operations work",
    "denied": "reading is permitted; writing, renaming and removing are not",
    "full-disk": "it opens files for writing, and cannot write into them",
    "cut-off-write": "half of what is written arrives, and the connection breaks",
    "cut-off-read": "the connection breaks at the first reading of a file",
    "lost-answer": "a file takes its place under a name that shows, and the connection breaks",
    "slow": "every operation takes `slow_seconds`",
}
_OPENINGS = {"hang-up": b"", "nonsense": b"HTTP/1.1 400 Bad Request\r\n\r\n<html>no</html>"}
TEXT = "SECRET-TEXT of Synthetic Person"


class SftpServer(OnSocket):
    """It lets in one user, into one folder; a name with a dot in front does not show yet.

    Attributes:
        faults: what it does wrong; names are in `FAULTS`.
        port: where it listens on 127.0.0.1.
        host_key: its public key, as in a known_hosts file.
        logins: the user names that asked to be let in.
        slow_seconds: how long an operation takes with the fault ``slow``.
        text: what it says when it fails; nobody may repeat it.

    Args:
        folder: what its user sees as ``/``.
        username: whom it lets in.
        password: by this password; None: by none.
        client_keys: or by these public keys, in OpenSSH's form.
    """

    def __init__(
        self,
        folder: Path,
        *,
        username: str = "adapter",
        password: str | None = None,
        client_keys: Collection[str] = (),
    ) -> None:
        super().__init__(FAULTS)
        self.folder = folder
        self.username = username
        self.password = password
        self.client_keys = [asyncssh.import_public_key(each) for each in client_keys]
        self.logins: list[str] = []
        self.slow_seconds = 1.0
        self.text = TEXT
        self._key = asyncssh.generate_private_key("ssh-ed25519")
        self._talks: dict[asyncio.Task[None], asyncssh.SSHServerConnection | None] = {}

    @property
    def host_key(self) -> str:
        """For example ``ssh-ed25519 AAAA…``."""
        return self._key.export_public_key().decode().strip()

    async def listen(self, listening: socket.socket) -> Closable:
        """Take connections from a socket."""
        listening.setblocking(False)
        return _Listening(listening, asyncio.create_task(self._accept(listening)))

    async def ended(self) -> None:
        """Wait until its conversations have ended."""
        await asyncio.gather(*self._talks, return_exceptions=True)

    def hang_up(self) -> None:
        """Close every connection."""
        for task, connection in self._talks.items():
            if connection is not None:
                connection.abort()
            else:
                task.cancel()

    async def _accept(self, listening: socket.socket) -> None:
        while True:
            connection, _ = await asyncio.get_running_loop().sock_accept(listening)
            task = asyncio.create_task(self._talk(connection))
            self._talks[task] = None
            task.add_done_callback(lambda done: self._talks.pop(done, None))

    async def _talk(self, connection: socket.socket) -> None:
        OWN.set(True)
        own = self.faults.taken()
        fault = own or self.faults.always
        if fault in _OPENINGS:
            with connection:
                await asyncio.get_running_loop().sock_sendall(connection, _OPENINGS[fault])
            return
        key = self._key
        if fault == "other-host-key":
            key = asyncssh.generate_private_key("ssh-ed25519")
        try:
            made = await asyncssh.run_server(
                connection,
                server_factory=lambda: _Door(self, fault),
                server_host_keys=[key],
                sftp_factory=(
                    None if fault == "no-sftp" else lambda channel: _Folder(self, channel, own)
                ),
                allow_scp=False,
                agent_forwarding=False,
            )
        except (OSError, asyncssh.Error):  # whoever is not let in ends so
            connection.close()
            return
        task = asyncio.current_task()
        assert task is not None
        self._talks[task] = made
        await made.wait_closed()


class _Listening:
    """What accepts connections; it can be closed."""

    def __init__(self, listening: socket.socket, task: asyncio.Task[None]) -> None:
        self._listening, self._task = listening, task

    def close(self) -> None:
        """Listen no more."""
        self._task.cancel()
        self._listening.close()


class _Door(asyncssh.SSHServer):
    """Who is let in (asyncssh names the methods)."""

    def __init__(self, server: SftpServer, fault: str | None) -> None:
        self._server = server
        self._fault = fault
        self._closed = fault == "login-refused"

    def begin_auth(self, username: str) -> bool:
        self._server.logins.append(username)
        if self._fault == "too-many":
            raise asyncssh.DisconnectError(asyncssh.DISC_TOO_MANY_CONNECTIONS, self._server.text)
        if self._fault == "gone":
            raise asyncssh.IllegalUserName(self._server.text)
        return True

    def password_auth_supported(self) -> bool:
        return self._server.password is not None

    def validate_password(self, username: str, password: str) -> bool:
        right = (username, password) == (self._server.username, self._server.password)
        return right and not self._closed

    def public_key_auth_supported(self) -> bool:
        return bool(self._server.client_keys)

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        right = username == self._server.username and key in self._server.client_keys
        return right and not self._closed


class _Folder(asyncssh.SFTPServer):
    """The folder as one connection sees it (asyncssh names the methods)."""

    def __init__(
        self, server: SftpServer, channel: asyncssh.SSHServerChannel[bytes], own: str | None
    ) -> None:
        super().__init__(channel, chroot=str(server.folder).encode())
        self._server = server
        self._own = own
        self._written: dict[int, bytes] = {}

    @property
    def _fault(self) -> str | None:
        return self._own or self._server.faults.always

    async def _begin(self, *, reads: bool = False, writes: bool = False) -> None:
        """What is wrong with an operation before it is begun."""
        fault, text = self._fault, self._server.text
        if fault == "slow":
            await asyncio.sleep(self._server.slow_seconds)
        if fault == "failing":
            raise asyncssh.SFTPFailure(text)
        if fault == "no-folder" or (fault == "vanishing" and reads):
            raise asyncssh.SFTPNoSuchFile(text)
        if fault == "refused" and writes:
            raise asyncssh.SFTPInvalidFilename(self._server.text)
        if fault == "denied" and writes:
            raise asyncssh.SFTPPermissionDenied(text)

    def _break(self) -> None:
        self.channel.get_connection().abort()
        raise asyncssh.SFTPConnectionLost(self._server.text)

    def _shown(self, path: bytes) -> None:
        """A file is there under this name now."""
        if self._fault == "lost-answer" and not path.rpartition(b"/")[2].startswith(b"."):
            self._break()

    async def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> object:
        writes = bool(pflags & (asyncssh.FXF_WRITE | asyncssh.FXF_APPEND))
        await self._begin(reads=not writes, writes=writes)
        opened: Any = super().open(path, pflags, attrs)
        if writes:
            self._written[id(opened)] = path
        return opened

    async def close(self, file_obj: object) -> None:
        super().close(file_obj)
        path = self._written.pop(id(file_obj), None)
        if path is not None:
            self._shown(path)

    async def read(self, file_obj: object, offset: int, size: int) -> bytes:
        await self._begin()
        if self._fault == "cut-off-read":
            self._break()
        found: Any = super().read(file_obj, offset, size)
        return bytes(found)

    async def write(self, file_obj: object, offset: int, data: bytes) -> int:
        await self._begin(writes=True)
        if self._fault == "full-disk":
            raise asyncssh.SFTPNoSpaceOnFilesystem(self._server.text)
        cut = self._fault == "cut-off-write"
        written: Any = super().write(file_obj, offset, data[: len(data) // 2] if cut else data)
        if cut:
            super().close(file_obj)
            self._break()
        return int(written)

    async def scandir(self, path: bytes) -> AsyncIterator[asyncssh.SFTPName]:
        await self._begin()
        async for each in super().scandir(path):
            yield each

    async def stat(self, path: bytes) -> Any:
        await self._begin()
        return super().stat(path)

    async def lstat(self, path: bytes) -> Any:
        await self._begin()
        return super().lstat(path)

    async def rename(self, oldpath: bytes, newpath: bytes) -> None:
        await self._begin(writes=True)
        super().rename(oldpath, newpath)
        self._shown(newpath)

    async def posix_rename(self, oldpath: bytes, newpath: bytes) -> None:
        await self._begin(writes=True)
        super().posix_rename(oldpath, newpath)
        self._shown(newpath)

    async def remove(self, path: bytes) -> None:
        await self._begin(writes=True)
        super().remove(path)

    async def mkdir(self, path: bytes, attrs: asyncssh.SFTPAttrs) -> None:
        await self._begin(writes=True)
        super().mkdir(path, attrs)

    async def rmdir(self, path: bytes) -> None:
        await self._begin(writes=True)
        super().rmdir(path)
