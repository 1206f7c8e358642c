"""Planted identifiers of a whole journey are in no file: database, WAL, backup, log, temporary.

Everything that could name a person is invented and marked: names, numbers, address, telephone,
notes, the agency's own words. After the journey all files of the service and of the database are
searched, as plain text, in hexadecimal and in base64, and the letters to the agency as well.
"""

from __future__ import annotations

import asyncio
import base64
import secrets
from pathlib import Path

import hl7
from hl7.mllp import open_hl7_connection

from adapter.cli.demonstration.mailbox import link_in, text_of
from adapter.store.backup import backup
from tests.faults.journey import Agent, until
from tests.faults.stage import Stage
from tests.faults.tour import STORES, Tour
from tests.integration.loop.harness import referral

KIND = "canary"
MARK = "ZqCanaryPlanted"  # long enough that no form of it stands anywhere by chance
FIELDS = (
    "family", "given", "middle", "number", "street", "city", "postal", "telephone", "mail",
    "mother", "note", "diagnosis", "clinician", "nextofkin", "agency",
)  # fmt: skip


async def run(tour: Tour) -> None:
    """Some referrals on each store, then the search."""
    for store in STORES if tour.scale != "sample" else STORES[:1]:
        async with tour.stage(store) as stage:
            await stage.start()
            planted: list[str] = []
            for _ in range(tour.pick(sample=2, quick=5, full=70)):
                planted += await _journey(stage)
            assert stage.store is not None
            backup(stage.store, stage.folder / "backup")
            folders = [stage.folder] + ([tour.cluster().root] if store == "postgresql" else [])
            files = [path for each in folders for path in each.rglob("*") if path.is_file()]
            if store == "postgresql":
                root = tour.cluster().root
                files.append(root.parent / f"{root.name}.log")
            hits, size = await asyncio.to_thread(search, files)
            letters = "\n".join(text_of(each) for each in stage.mailbox.letters)
            hits += ["a letter"] * letters.count(MARK)
            tour.say(f"canary: {len(planted)} planted on {store}, {len(hits)} found in {len(files)}"
                     f" files ({size >> 20} MiB) {hits[:5]}")  # fmt: skip
            tour.results.add(
                "planted identifiers in files", KIND, store, runs=len(planted), lost=len(hits),
                acknowledged=len(planted), effects=len(planted) - len(hits),
            )  # fmt: skip


async def _journey(stage: Stage) -> list[str]:
    """One referral full of canaries, accepted with the agency's own words; the canaries."""
    canary = {name: f"{MARK}{secrets.token_hex(4)}{name[:4].title()}" for name in FIELDS}
    letters = len(stage.mailbox.letters)
    text = referral(canary["number"], control=secrets.token_hex(8), text=canary["note"])
    text = text.replace(
        f"PID|1||{canary['number']}P^^^CLINIC^MR||Synthetic^Test||19500101|F",
        f"PID|1||{canary['number']}P^^^CLINIC^MR||{canary['family']}^{canary['given']}"
        f"^{canary['middle']}|{canary['mother']}|19500101|F|||{canary['street']}^^{canary['city']}"
        f"^ON^{canary['postal']}^CAN||{canary['telephone']}^PRN^PH^{canary['mail']}@example.org",
    )
    text = text.replace("Synthetic^Clinician", f"{canary['clinician']}^Test")
    text = text.replace("Problems related to living alone", canary["diagnosis"])
    text = text.replace("DG1|", f"NK1|1|{canary['nextofkin']}^Test|SPO\rDG1|", 1)
    reader, writer = await open_hl7_connection(*stage.mllp)
    writer.writemessage(hl7.parse(text))
    await writer.drain()
    answer = await asyncio.wait_for(reader.readmessage(), 10)
    writer.close()
    assert str(answer.segment("MSA")[1]) == "AA", str(answer)
    async with asyncio.timeout(10):
        await until(lambda: any(link_in(each) for each in stage.mailbox.letters[letters:]))
    link = next(filter(None, map(link_in, stage.mailbox.letters[letters:])))
    visitor = Agent(stage.mailbox)
    try:
        await visitor.open(link)
        await visitor.do("accept", {})
        await visitor.do("complete", {"q.summary": canary["agency"], "q.enrolment": "enrolled",
                                      "q.sessions-attended": "8", "q.what-mattered-met": "yes",
                                      "q.wellbeing-change": "a-little-better"})  # fmt: skip
    finally:
        await visitor.close()
    received = len(stage.emr.received)
    async with asyncio.timeout(10):
        await until(lambda: any(canary["agency"] in each for each in stage.emr.received))
    assert received or stage.emr.received  # the loop is closed: the words did arrive
    return list(canary.values())


def search(files: list[Path]) -> tuple[list[str], int]:
    """Every file, and how, in which a canary stands; and how many bytes were searched."""
    hits, size = [], 0
    for path in files:
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            continue  # the server removed a file of its own meanwhile
        size += len(data)
        low = data.lower()
        hits += [f"{path.name}: {how}" for how, form in FORMS.items()
                 if form in (low if how == "plain" else data)]  # fmt: skip
    return hits, size


def _forms(text: bytes) -> dict[str, bytes]:
    """A text as it may stand in a file. Of base64 the part that does not depend on the place."""
    inside = {f"base64 {n}": base64.b64encode(bytes(n) + text)[4:-4] for n in range(3)}
    return {"plain": text.lower(), "hex": text.hex().encode(), "HEX": text.hex().upper().encode(),
            "utf-16": text.decode().encode("utf-16-le"), **inside}  # fmt: skip


FORMS = _forms(MARK.encode())
