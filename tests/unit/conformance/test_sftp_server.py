"""The fake SFTP server is a real one, and each of its faults is what its name says."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from adapter_conformance.fakes.sftp_server import FAULTS, SftpServer

pytestmark = [pytest.mark.anyio, pytest.mark.network]
BODY = b'{"id": "m-1", "synthetic": true}' * 40


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[SftpServer]:
    for name in ("in", "out"):
        (tmp_path / name).mkdir()
    (tmp_path / "in" / "1.json").write_bytes(BODY)
    async with SftpServer(tmp_path, password="synthetic") as made:
        made.slow_seconds = 0.2
        yield made


def connected(
    server: SftpServer, **more: Any
) -> AbstractAsyncContextManager[asyncssh.SSHClientConnection]:
    said: dict[str, Any] = {
        "known_hosts": ([asyncssh.import_public_key(server.host_key)], [], []),
        "username": "adapter",
        "password": "synthetic",
        "client_keys": None,
        "agent_path": None,
        "config": None,
    }
    return asyncssh.connect("127.0.0.1", server.port, **(said | more))


async def put(server: SftpServer, name: str = "out/1.json", body: bytes = BODY) -> None:
    async with (
        connected(server) as connection,
        connection.start_sftp_client() as sftp,
        sftp.open(name, "wb") as file,
    ):
        await file.write(body)


async def got(server: SftpServer, name: str = "in/1.json") -> bytes:
    async with (
        connected(server) as connection,
        connection.start_sftp_client() as sftp,
        sftp.open(name, "rb") as file,
    ):
        return bytes(await file.read())


async def renamed(server: SftpServer) -> None:
    async with connected(server) as connection, connection.start_sftp_client() as sftp:
        await sftp.posix_rename("out/.1.json", "out/1.json")


async def names(server: SftpServer, folder: str = "in") -> list[str]:
    async with connected(server) as connection, connection.start_sftp_client() as sftp:
        return sorted(str(each) for each in await sftp.listdir(folder) if str(each)[0] != ".")


async def test_files_go_both_ways_into_one_folder_and_not_out_of_it(server: SftpServer) -> None:
    (server.folder.parent / "beside.txt").write_text("not to be seen")
    await put(server)

    assert (server.folder / "out" / "1.json").read_bytes() == BODY
    assert (await names(server), await got(server)) == (["1.json"], BODY)
    with pytest.raises(asyncssh.SFTPNoSuchFile):
        await got(server, "../beside.txt")
    assert server.logins == ["adapter"] * 4


async def test_only_its_user_is_let_in_by_password_or_key(tmp_path: Path) -> None:
    key, other = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
    async with SftpServer(tmp_path, client_keys=[key.export_public_key().decode()]) as server:
        async with connected(server, password=None, client_keys=[key]):
            pass
        for wrong in (
            {"client_keys": [other]},
            {"client_keys": [key], "username": "somebody"},
            {"password": "synthetic"},
        ):
            with pytest.raises(asyncssh.PermissionDenied):
                async with connected(server, **wrong):
                    pass


async def test_a_fault_is_had_by_one_connection_or_by_all(server: SftpServer) -> None:
    server.fail_next("denied")
    with pytest.raises(asyncssh.SFTPPermissionDenied):
        await put(server)
    await put(server)

    async with connected(server) as connection, connection.start_sftp_client() as sftp:
        server.faults.always = "failing"  # also for who is there already
        with pytest.raises(asyncssh.SFTPFailure):
            await sftp.listdir("in")
        server.faults.always = None
        assert "1.json" in await sftp.listdir("in")
    with pytest.raises(ValueError, match="no fault 'tired'; there are: hang-up, "):
        server.fail_next("tired")
    with pytest.raises(ValueError, match="no fault"):
        server.faults.always = "tired"


async def test_faults_at_the_door(server: SftpServer) -> None:
    for fault, error in (
        ("hang-up", asyncssh.ConnectionLost),
        ("nonsense", asyncssh.ConnectionLost),
        ("other-host-key", asyncssh.HostKeyNotVerifiable),
        ("too-many", asyncssh.DisconnectError),
        ("gone", asyncssh.IllegalUserName),
        ("login-refused", asyncssh.PermissionDenied),
        ("no-sftp", asyncssh.ChannelOpenError),
    ):
        server.fail_next(fault)
        with pytest.raises((error, OSError)) as raised:
            await names(server)
        assert isinstance(raised.value, error), fault
    assert await names(server) == ["1.json"]


async def test_faults_of_reading(server: SftpServer) -> None:
    server.fail_next("vanishing", "vanishing", "no-folder", "denied", "cut-off-read")
    assert await names(server) == ["1.json"]
    with pytest.raises(asyncssh.SFTPNoSuchFile):
        await got(server)
    with pytest.raises(asyncssh.SFTPNoSuchFile):
        await names(server)
    assert await got(server) == BODY
    with pytest.raises((asyncssh.SFTPConnectionLost, asyncssh.ConnectionLost)):
        await got(server)


async def test_faults_of_writing(server: SftpServer) -> None:
    out = server.folder / "out"
    server.fail_next("full-disk", "cut-off-write")
    with pytest.raises(asyncssh.SFTPError):
        await put(server, "out/full.json")
    with pytest.raises((asyncssh.SFTPConnectionLost, asyncssh.ConnectionLost)):
        await put(server, "out/half.json")

    assert (out / "full.json").read_bytes() == b""
    assert (out / "half.json").read_bytes() == BODY[: len(BODY) // 2]


async def test_a_file_that_is_refused_is_not_there_and_others_can_be_read(
    server: SftpServer,
) -> None:
    server.fail_next("refused", "refused")
    with pytest.raises(asyncssh.SFTPFailure):  # what version 3 of SFTP makes of it
        await put(server, "out/odd.json")
    assert list((server.folder / "out").iterdir()) == []
    assert await got(server) == BODY


async def test_too_many_connections_say_so_by_their_number(server: SftpServer) -> None:
    server.fail_next("too-many")
    with pytest.raises(asyncssh.DisconnectError) as raised:
        await names(server)
    assert raised.value.code == asyncssh.DISC_TOO_MANY_CONNECTIONS


async def test_an_answer_is_lost_when_the_file_shows_and_not_before(server: SftpServer) -> None:
    out = server.folder / "out"
    server.faults.always = "lost-answer"
    await put(server, "out/.1.json")
    with pytest.raises((asyncssh.SFTPConnectionLost, asyncssh.ConnectionLost)):
        await renamed(server)
    assert [each.name for each in out.iterdir()] == ["1.json"]

    with pytest.raises((asyncssh.SFTPConnectionLost, asyncssh.ConnectionLost)):
        await put(server, "out/2.json")
    assert (out / "2.json").read_bytes() == BODY


async def test_slow_is_later_and_right(server: SftpServer) -> None:
    server.fail_next("slow")
    loop = asyncio.get_running_loop()
    begun = loop.time()
    assert await got(server) == BODY
    assert loop.time() - begun >= 2 * server.slow_seconds


def test_every_fault_is_explained_and_tried_here() -> None:
    here = Path(__file__).read_text("utf-8")
    assert [each for each in FAULTS if f'"{each}"' not in here] == []
    assert all(FAULTS.values())


async def test_openssh_finds_nothing_odd_about_it(tmp_path: Path) -> None:
    mine, keys = tmp_path / "mine", tmp_path / "keys"
    mine.mkdir()
    keys.mkdir()
    key = asyncssh.generate_private_key("ssh-ed25519")
    key.write_private_key(str(keys / "id"))
    (keys / "id").chmod(stat.S_IRUSR | stat.S_IWUSR)
    (keys / "letter.json").write_bytes(BODY)
    async with SftpServer(mine, client_keys=[key.export_public_key().decode()]) as server:
        (keys / "known").write_text(f"[127.0.0.1]:{server.port} {server.host_key}\n")
        (keys / "batch").write_text("put letter.json .letter\nrename .letter letter.json\nls -l\n")
        options = ("IdentitiesOnly=yes", "StrictHostKeyChecking=yes", "UserKnownHostsFile=known")
        done = await asyncio.create_subprocess_exec(
            "sftp", "-F", "none", "-i", "id", *(w for each in options for w in ("-o", each)),
            "-P", str(server.port), "-b", "batch", "adapter@127.0.0.1",
            cwd=keys, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        said, problem = await done.communicate()
    assert done.returncode == 0, problem
    assert b"letter.json" in said
    assert (mine / "letter.json").read_bytes() == BODY
