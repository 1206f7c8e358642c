"""An HL7 v2 peer: an MLLP listener that takes its messages, a client that brings it ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any, ClassVar

from adapter.plugin import (
    FULL,
    AdapterError,
    Capabilities,
    Check,
    ConfigError,
    Context,
    Delivered,
    HttpEndpoint,
    Inbound,
    Listener,
    Outbound,
    Refusal,
    System,
    SystemConfig,
    SystemFault,
    TransientError,
)
from adapter_hl7v2 import tls
from adapter_hl7v2.acknowledge import acknowledge, acknowledge_unreadable, header_of
from adapter_hl7v2.charset import codec_of
from adapter_hl7v2.checks import Checked, Policy, check
from adapter_hl7v2.config import Hl7v2Config, is_loopback, split_address
from adapter_hl7v2.dialects import Dialect
from adapter_hl7v2.familiar import Acquaintances, Familiar
from adapter_hl7v2.framing import Frame
from adapter_hl7v2.limits import Limits
from adapter_hl7v2.message import Message, frame_unterminated
from adapter_hl7v2.mllp import Listening, MllpServer
from adapter_hl7v2.mllp_client import Destination, MllpClient
from adapter_hl7v2.problems import Problem
from adapter_hl7v2.quirks import dialect_from
from adapter_hl7v2.replies import judge_reply
from adapter_hl7v2.review import Reviewer
from adapter_hl7v2.verifier import shared

FORMAT = "hl7v2"
ERROR_ANSWER = "error-answer"
"""To a message that could not be read: there is nothing to fill its other segments from."""

_CONFLICT = Problem(
    "hl7v2.control-id-used",
    "205",
    "this control id came before with other content",
    "give each message a control id of its own",
    "MSH-10",
)
_NOT_NOW = Problem(
    "hl7v2.not-stored",
    "207",
    "the message could not be stored now; nothing of it was kept",
    "send it again later",
)


class Hl7v2(System):
    """One site that speaks HL7 v2 over MLLP."""

    name = FORMAT
    Config = Hl7v2Config
    capabilities = Capabilities(
        receives=FULL,
        delivers=FULL,
        outbound_format=FORMAT,
        outbound_kinds={
            "request": "REF^I12",
            "modify": "REF^I13",
            "cancel": "REF^I14",
            "answer": "RRI^I12",
            "request-answer": "RRI^I12",
            "modify-answer": "RRI^I13",
            "cancel-answer": "RRI^I14",
            "status-answer": "RRI^I15",
            "error-answer": "RRI^I12",
            "note": "RRI^I12",
            "outcome": "ORU^R01",
        },
    )
    quirks: ClassVar[Dialect | None] = None
    """The dialect of a system that stands on this one; None: as a site says, or as recognised."""
    config: Hl7v2Config

    @classmethod
    def adapted(cls, name: str, quirks: Mapping[str, Any]) -> type[System]:
        """A system of another name whose peer departs from the standard so (level 0).

        Raises:
            ConfigError: the table says what we do not know.
        """
        made = dialect_from(quirks, name)
        return type(f"{cls.__name__}_{name}", (cls,), {"name": name, "quirks": made})

    def __init__(self, config: SystemConfig, context: Context) -> None:
        super().__init__(config, context)
        self._policy = Policy(
            test=context.site.test,
            dialect=self._dialect(),
            own=self.quirks,
            charset=codec_of(self.config.charset) if self.config.charset else None,
            default_charset=self._default_charset(),
            limits=Limits(
                size=self.config.max_bytes,
                segments=self.config.max_segments,
                elements=self.config.max_elements,
            ),
        )
        self._server: MllpServer | None = None
        self._client: MllpClient | None = None
        self._reviewer = Reviewer(context.log)
        self._acquaintances = Acquaintances(self._policy)
        self._ids = count()
        self._id_start = ""

    async def open(self) -> None:
        """Read the certificates, so that a wrong one is told before anything is taken."""
        shared().enlist(self.context)
        if self.config.port is not None:
            self._server = self._listen()
        if self.config.deliver_to is not None:
            self._client = self._connect(self.config.deliver_to)

    async def close(self) -> None:
        """Close listener and connection."""
        shared().leave(self.context)
        self._reviewer.close()
        if self._server is not None:
            await self._server.stop()
        if self._client is not None:
            await self._client.close()

    def endpoints(self) -> Sequence[Listener | HttpEndpoint]:
        """The MLLP listener, if a port is configured."""
        if self._server is None:
            return []
        return [Listener(self._server.start, self._server.stop)]

    async def check(self) -> list[Check]:
        """Whether certificates can be used and the peer's listener can be reached."""
        found: list[Check] = []
        try:
            if self.config.port is not None:
                self._listen()
                found.append(self._check_listener())
            if self.config.deliver_to is not None:
                found.append(await self._check_destination(self.config.deliver_to))
        except AdapterError as error:
            found.append(Check(name="tls", state="fail", detail=error.message, fix=error.fix))
        return found or [
            Check(
                name="settings",
                state="warn",
                detail="neither port nor deliver_to is set: nothing comes, nothing goes",
                fix="set port, deliver_to, or both",
            )
        ]

    async def handle(self, raw: bytes) -> bytes:
        """Take one message: check it, make it durable, return its acknowledgement."""
        try:
            known = self._acquaintances.recall(raw)
            if known is not None:
                return await self._take_familiar(raw, *known)
            return await self._take(raw, check(raw, self._policy))
        except AdapterError as error:
            self.context.log.error("message.not-stored", code=error.code)
        except Exception as error:  # noqa: BLE001 - one message's fault must not cost the others
            self.context.log.error("message.not-stored", error=type(error).__name__)
        return self._answer(header_of(raw), (_NOT_NOW,))

    async def refuse(self, frame: Frame) -> bytes:
        """Answer a frame that holds no whole message, and journal it."""
        problem = self._frame_problem(frame)
        header = header_of(frame.data)
        try:
            await self._journal(frame.data, problem, header.kind, header.control_id)
        except AdapterError as error:
            self.context.log.error("message.refusal-not-journaled", code=error.code)
        return acknowledge_unreadable(
            frame.data, control_id=self._new_id(), time=self.context.now(), problem=problem
        )

    async def deliver(self, message: Outbound) -> Delivered:
        """Send one message and wait until the peer has it.

        What was held back for its structure and is tried again was let go by a person, and is sent.

        Raises:
            ConfigError: no destination is configured. DataError: the peer refused the message, or
                its structure is not right.
            TransientError, AuthError, SystemFault: as `MllpClient.send` and `judge_reply`.
        """
        if self._client is None:
            raise ConfigError(
                "hl7v2.no-destination",
                "this site has nowhere to deliver to",
                fix="set deliver_to to the host:port of the peer's MLLP listener",
            )
        if self.config.verify_outbound and message.attempt == 1 and message.event != ERROR_ANSWER:
            await shared().hold_back(message.body, self.context.log, message.kind)
        control_id = Message.parse(message.body).control_id
        reply = await self._client.send(message.body)
        try:
            judge_reply(reply, control_id=control_id, again=message.attempt > 1)
        except SystemFault:
            await self._client.close()  # what follows on this connection may be of another too
            raise
        return Delivered(response=reply)

    def _dialect(self) -> str | None:
        if self.config.dialect != "auto":
            return self.config.dialect
        return self.quirks.name if self.quirks is not None else None

    def _default_charset(self) -> str | None:
        """What the site says; what the quirks say, if the site says nothing."""
        said = self.quirks is None or "default_charset" in self.config.model_fields_set
        return codec_of(self.config.default_charset) if said else None

    async def _take(self, raw: bytes, checked: Checked) -> bytes:
        if checked.problem is not None:
            await self._journal(raw, checked.problem, checked.kind, checked.key)
            return self._answer(checked.message, checked.problems)
        for warning in checked.warnings:
            self.context.log.warning("message.odd", code=warning.code, kind=checked.kind)
        self._acquaintances.learn(raw, checked)
        return await self._receive(
            raw,
            kind=checked.kind,
            key=checked.key,
            answer=self._answer(checked.message, checked.warnings),
            dialect=checked.dialect.name,
            test=checked.test,
        )

    async def _take_familiar(self, raw: bytes, known: Familiar, key: str) -> bytes:
        answer = known.form.write(key, self._new_id(), self.context.now())
        if answer is None:
            return await self._take(raw, check(raw, self._policy))
        return await self._receive(
            raw, kind=known.kind, key=key, answer=answer, dialect=known.dialect, test=known.test
        )

    async def _receive(
        self, raw: bytes, *, kind: str, key: str, answer: bytes, dialect: str, test: bool
    ) -> bytes:
        """Make a message durable that may be; the answer to it."""
        receipt = await self.context.receive(
            Inbound(
                raw=raw,
                format=FORMAT,
                kind=kind,
                key=key,
                answer=answer,
                dialect=None if dialect == "generic" else dialect,
                test=test,
            )
        )
        if receipt.state == "accepted" and self.config.verify_inbound:
            self._reviewer.add(raw, kind)
        if receipt.state == "conflict":
            return self._answer(check(raw, self._policy).message, (_CONFLICT,))
        return receipt.answer

    async def _journal(self, raw: bytes, problem: Problem, kind: str, key: str) -> None:
        self.context.log.warning("message.refused", code=problem.code, kind=kind)
        await self.context.refuse(
            Refusal(
                raw=raw,
                format=FORMAT,
                code=problem.code,
                message=problem.message,
                fix=problem.fix,
                kind=kind or None,
                key=key or None,
            )
        )

    def _answer(self, message: Message, problems: Sequence[Problem]) -> bytes:
        return acknowledge(
            message, control_id=self._new_id(), time=self.context.now(), problems=problems
        )

    def _new_id(self) -> str:
        """A control id of ours, of 20 characters: random for each start, then counted."""
        number = next(self._ids) & 0xFFFF_FFFF
        if number == 0:
            self._id_start = self.context.random(6).hex()
        return f"{self._id_start}{number:08x}"

    def _frame_problem(self, frame: Frame) -> Problem:
        if frame.fault == "too-large":
            return Problem(
                "hl7v2.too-large",
                "207",
                f"the frame has {frame.size:,} bytes; at most {self.config.max_bytes:,} are taken",
                "send large documents by reference, or raise max_bytes for this site",
                reject=True,
            )
        if frame.fault == "unframed":
            return Problem(
                "hl7v2.frame-missing",
                "207",
                "a message came without an MLLP frame",
                "send 0x0B before each message and 0x1C 0x0D after it",
            )
        return Problem.of(frame_unterminated())

    def _listen(self) -> MllpServer:
        config = self.config
        context = None
        if config.tls_certificate and config.tls_key:
            context = tls.server_context(
                config.tls_certificate, config.tls_key.get_secret_value(), config.tls_client_ca
            )
        listening = Listening(
            host=config.host,
            port=config.port or 0,
            tls=context,
            max_size=config.max_bytes,
            max_connections=config.max_connections,
            idle_timeout=config.idle_timeout,
            frame_timeout=config.frame_timeout,
        )
        return MllpServer(self.handle, self.refuse, listening, self.context.log)

    def _connect(self, address: str) -> MllpClient:
        config = self.config
        context = None
        if config.deliver_tls:
            key = config.deliver_key.get_secret_value() if config.deliver_key else None
            context = tls.client_context(config.deliver_ca, config.deliver_certificate, key)
        host, port = split_address(address)
        return MllpClient(
            Destination(
                host=host,
                port=port,
                tls=context,
                server_name=config.deliver_server_name,
                connect_timeout=config.connect_timeout,
                reply_timeout=config.reply_timeout,
                max_reply=config.max_bytes,
            )
        )

    def _check_listener(self) -> Check:
        config = self.config
        plain = not config.tls_certificate
        where = f"{config.host}:{config.port or 'any free port'}"
        if plain and not is_loopback(config.host):
            return Check(
                name="listener",
                state="warn",
                detail=f"listens on {where} without TLS",
                fix="set tls_certificate and tls_key, unless a VPN protects the way",
            )
        how = "plain, on this machine only" if plain else "TLS"
        how = "mTLS" if config.tls_client_ca else how
        return Check(name="listener", state="ok", detail=f"listens on {where} ({how})")

    async def _check_destination(self, address: str) -> Check:
        client = self._connect(address)
        try:
            await client.probe()
        except TransientError as error:
            return Check(name="destination", state="fail", detail=error.message, fix=error.fix)
        finally:
            await client.close()
        return Check(name="destination", state="ok", detail=f"{address} takes connections")
