"""Rows on what others take for the same message, in the same run, on the same machine."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import orjson
from limits import typical
from row import Row
from rows import Road

HERE = Path(__file__).resolve().parent
JSONATA = HERE.parent / "build" / "jsonata"
"""Where the JSONata engine of package.json is installed, once, if npm can reach its registry."""


def rows(road: Road) -> list[Row]:
    """All rows of this file."""
    peers = Peers(road)
    why = jsonata_missing()
    obvious = "the obvious pipeline's speed"
    return [
        Row("hl7apy + fhir.resources, parse, build, dump", obvious, 100, peers.obvious, 5, True),
        Row("JSONata, mapping alone", "its speed", 1, peers.jsonata, 300, True, why),
    ]


class Peers:
    """Other makers' software on the shipped referral."""

    def __init__(self, road: Road) -> None:
        self.road = road
        self.raw = road.message.encode()
        self.bundle = orjson.loads(road.bundle())

    def obvious(self, times: int) -> float:
        """How many times our read, map and dump fit into: hl7apy parses the message, and
        fhir.resources builds the same Bundle from plain values and dumps it. Its mapping between
        the two is not even counted."""
        from fhir.resources.R4B.bundle import Bundle
        from hl7apy.parser import parse_message

        text = self.road.message.replace("\n", "\r")

        def one(_: int) -> None:
            parse_message(text, find_groups=False)
            Bundle(**self.bundle).model_dump_json()

        return typical(one, times) / typical(
            lambda _: self.road.read_map_dump(self.raw), times * 40
        )

    def jsonata(self, times: int) -> float:
        """How many times our mapping alone (message to referral to Bundle) fits into a JSONata
        expression for the ten chief resources of the same referral, parsed already."""
        tree = self.road.hl7v2.parse(self.raw)
        mapping = self.road.packs.pick("hl7v2", tree)
        onward = self.road.packs.find("fhir", "Bundle")
        settings = self.road.settings

        def ours(_: int) -> Any:
            return onward.to_left(mapping.to_right(tree, settings).document, settings)

        fields = {
            "segments": [
                {"id": segment.id, "fields": _parts(segment.fields)} for segment in tree.segments
            ]
        }
        done = subprocess.run(
            ["node", str(HERE / "jsonata_peer.mjs"), str(times)],
            input=orjson.dumps(fields),
            capture_output=True,
            check=True,
            env={**os.environ, "JSONATA": str(JSONATA)},
        )
        answer = orjson.loads(done.stdout)
        if answer["entries"] < 10:
            raise RuntimeError("the JSONata expression did not make its ten entries")
        return float(answer["seconds"]) / typical(ours, times)


def _parts(fields: list[str]) -> list[list[str]]:
    """Each field as the components of its first repetition."""
    return [["", *field.partition("~")[0].split("^")] for field in fields]


def jsonata_missing() -> str:
    """Why JSONata cannot be measured here, after trying to install it; empty if it can."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        return "node and npm are not installed"
    if not (JSONATA / "node_modules" / "jsonata").is_dir():
        JSONATA.mkdir(parents=True, exist_ok=True)
        command = ["npm", "install", "--prefix", str(JSONATA), "--no-audit", "--no-fund", "jsonata"]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            return "npm could not install jsonata"
    return ""
