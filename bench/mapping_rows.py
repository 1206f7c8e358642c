"""Rows on reading, mapping and converting messages: no store, no network."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
from handwritten import Handwritten
from limits import typical
from row import Row
from rows import Road

from adapter.cli.conversion import HANDFUL, Conversion, handfuls
from adapter.fhir.checks import check
from adapter.plugin.formats import Settings
from adapter.referral.identity import assign_ids

HERE = Path(__file__).resolve().parent
LINE = "OBX|{0}|TX|S{0}^Synthetic finding {0}^99LOC||Nothing to be found, number {0}||||||F"
MEGABYTE = 1_000_000


def rows(road: Road) -> list[Row]:
    """All rows of this file."""
    work = Conversions(road)
    return [
        Row("mapping alone, compiled", "hand-written", 1.3, work.by_hand, 300),
        Row("Bundle to REF^I12", "CPU", 5, work.to_ref, 400),
        Row("Bundle to RRI^I12", "CPU", 5, work.to_rri, 400),
        Row("adapter convert, a message of a stream", "CPU", 12, work.convert, 400),
        Row("the same, and fhir.resources validate", "CPU", 70, work.validated, 8),
        Row("checks of the Bundle of 13 entries", "CPU", 5, work.checked, 400),
        Row("1 MB OBX, read", "bare read", 5, work.megabyte, 20),
        Row("read and map, 10,000 segments", "1,000 segments", 11, work.segments, 9),
        Row("read and map, growth 1,000 to 10,000 segments", "json.loads", 1.1, work.linear, 1),
    ]


class Conversions:
    """The conversions of the shipped referral, and of messages made larger from it."""

    def __init__(self, road: Road) -> None:
        self.road = road
        self.raw = road.message.encode()
        self.tree = road.hl7v2.parse(self.raw)
        self.mapping = road.packs.pick("hl7v2", self.tree)
        self.hand = Handwritten(dict(road.packs.packs["hl7v2_ref"].codes))
        self.fhir = road.service.formats["fhir"]
        self.work = Conversion(road.packs, road.hl7v2, self.fhir, road.settings, None)
        self.asked = Conversion(
            road.packs, road.hl7v2, self.fhir, road.settings, None, second_opinion=True
        )
        self.bundle = road.bundle()
        self.answer = self._answered()
        self._linear = 0.0
        self.document = enlarged(road.message, LINE.format(99).replace("Nothing", "x" * MEGABYTE))

    def by_hand(self, times: int) -> float:
        """How many times the hand-written mapping's time the compiled table takes."""
        settings = self.road.settings
        compiled = typical(lambda _: self.mapping.to_right(self.tree, settings), times)
        return compiled / typical(lambda _: self.hand.document(self.tree, settings), times)

    def to_ref(self, times: int) -> float:
        """Seconds from the bytes of a Bundle to the bytes of a REF^I12."""
        return typical(lambda _: self._back(self.bundle, "request"), times)

    def to_rri(self, times: int) -> float:
        """Seconds from the bytes of a Bundle that answers to the bytes of its RRI^I12."""
        return typical(lambda _: self._back(self.answer, "answer"), times)

    def convert(self, times: int) -> float:
        """Seconds of what `adapter convert` does for each message: read, map, check, dump."""
        return typical(lambda _: self.work.one(self.raw), times)

    def validated(self, times: int) -> float:
        """The same with `--second-opinion`: fhir.resources reads each Bundle, too, a handful after
        the other as the command reads them."""
        (some,) = handfuls([("", self.raw)] * HANDFUL)
        if not all(each.good for each in self.asked.some(some)):
            raise RuntimeError("the Bundle is not right")
        return typical(lambda _: self.asked.some(some), times) / len(some)

    def checked(self, times: int) -> float:
        """Seconds of our own checks of the Bundle: base R4 and the profiles that it claims."""
        bundle = orjson.loads(self.bundle)
        if check(bundle):
            raise RuntimeError("the Bundle is not right")
        return typical(lambda _: check(bundle), times)

    def megabyte(self, times: int) -> float:
        """How many times a bare read of the same bytes from a socket it takes to read them and
        to have the message."""
        data = self.document
        ours, theirs = socket.socketpair()
        for each in (ours, theirs):
            each.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * MEGABYTE)
        ours.setblocking(False)

        def bare(_: int) -> bytes:
            return _read(ours, theirs, data)

        def message(_: int) -> Any:
            tree = self.road.hl7v2.parse(_read(ours, theirs, data))
            return tree.kind, tree.raws()

        try:
            return typical(message, times) / typical(bare, times)
        finally:
            ours.close()
            theirs.close()

    def segments(self, times: int) -> float:
        """See growth.py, which measures it in a process of its own: what it takes from the system
        and gives back would slow down other rows here."""
        command = [sys.executable, str(HERE / "growth.py"), str(times)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        bare, self._linear = map(float, done.stdout.split())
        return bare

    def linear(self, _: int) -> float:
        """The same over the growth of `json.loads` (ADR 0009), as measured in the row before."""
        return self._linear

    def _back(self, bundle: bytes, event: str) -> bytes:
        packs, settings = self.road.packs, self.road.settings
        tree = self.fhir.parse(bundle)
        document = packs.find("fhir", "Bundle").to_right(tree, settings).document
        made = packs.find_left("hl7v2", event).to_left(document, settings)
        return self.road.hl7v2.dump(made.tree)

    def _answered(self) -> bytes:
        """A Bundle that answers the shipped referral: accepted, with a date."""
        document = self.mapping.to_right(self.tree, self.road.settings).document
        assign_ids(document, "clinic")
        document["kind"] = "answer"
        document["fulfilments"][0]["status"] = "accepted"
        made = self.road.packs.find("fhir", "Bundle").to_left(document, Settings(site="clinic"))
        return self.fhir.dump(made.tree)


def enlarged(message: str, *more: str) -> bytes:
    """A message with more segments before its PV1."""
    lines = message.rstrip("\r").split("\r")
    at = next(n for n, line in enumerate(lines) if line.startswith("PV1"))
    return "\r".join([*lines[:at], *more, *lines[at:]]).encode()


def _read(ours: socket.socket, theirs: socket.socket, data: bytes) -> bytes:
    """The same bytes once through a socket."""
    sent, found = 0, bytearray()
    theirs.setblocking(False)
    while len(found) < len(data):
        if sent < len(data):
            with contextlib.suppress(BlockingIOError):
                sent += theirs.send(data[sent : sent + 262_144])
        try:
            found += ours.recv(262_144)
        except BlockingIOError:
            continue
    return bytes(found)
