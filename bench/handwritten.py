"""The REF^I12 mapping written by hand, to hold the compiled table against: same input, same output.

It does for the shipped message what `ref-i12` does, row by row, with the same codecs, and no more
than a programmer would write: no loss report, no way back.
"""

from __future__ import annotations

import statistics
import time
from typing import Any

from limits import typical

from adapter.cli.demonstration import messages
from adapter.cli.formats import installed_formats
from adapter.mapping import load_packs
from adapter.plugin.formats import Settings
from adapter_hl7v2.codecs import CODECS
from adapter_hl7v2.environment import Er7Environment, text

ROUNDS, TIMES = 9, 300


class Handwritten:
    """One function for each segment, the codecs bound once."""

    def __init__(self, tables: dict[str, Any]) -> None:
        def read(name: str, *arguments: str) -> Any:
            return CODECS[name](arguments, tables).read

        self.when, self.day = read("dateTime"), read("date")
        self.name, self.person = read("name"), read("person")
        self.address, self.phone = read("address"), read("phone")
        self.home, self.work = read("phone", "home"), read("phone", "work")
        self.concept, self.coding = read("concept", "v2-0396"), read("coding", "v2-0396")
        self.codings = read("codings", "v2-0396")
        self.identifier = read("identifier", "ca-jurisdiction", "v2-0203-alias")
        self.placer, self.filler = read("entity", "PLAC"), read("entity", "FILL")
        self.lines, self.boolean = read("lines"), read("boolean")
        self.kind = read("code", "v2-0003-ref")
        self.request, self.task = read("code", "v2-0283-request"), read("code", "v2-0283-task")
        self.priority, self.gender = read("code", "v2-0280"), read("code", "v2-0001")
        self.language = read("code", "v2-0296")

    def document(self, message: Any, settings: Settings) -> dict[str, Any]:
        """The canonical document of a message."""
        env = Er7Environment(message.encoding, settings)
        segments: list[list[str]] = []
        for segment in message.segments:
            fields = segment.raw.split(env.encoding.field)
            if segment.id == "MSH":
                fields.insert(1, "|")
            segments.append(fields)
        referral: dict[str, Any] = {}
        fulfilment: dict[str, Any] = {}
        document: dict[str, Any] = {"referral": referral}
        party: dict[str, Any] = {}
        for fields in segments:
            name = fields[0]
            if name == "MSH":
                self.header(fields, document, env)
            elif name == "RF1":
                self.request_of(fields, referral, fulfilment, env)
            elif name == "PRD":
                party = self.party(fields, env)
                if party.get("role") == "RP":
                    referral["requester"] = party
                elif party.get("role") in ("RT", "IR"):
                    referral.setdefault("recipients", []).append(party)
                else:
                    referral.setdefault("other_parties", []).append(party)
            elif name == "CTD":
                party.setdefault("contacts", []).append(self.contact(fields, env))
            elif name == "PID":
                referral["subject"] = self.subject(fields, env)
            elif name == "DG1":
                referral.setdefault("needs", []).append(self.need(fields, env))
            elif name == "OBR":
                if part(fields, 4, 3, env) != "99SPA":
                    put(referral.setdefault("service", {}), "code", self.concept, fields, 4, env)
            elif name == "OBX":
                self.observed(fields, referral, env)
            elif name == "NTE":
                self.note(fields, referral, env)
        if "authored_on" not in referral and document["envelope"].get("sent_at"):
            referral["authored_on"] = document["envelope"]["sent_at"]
        referral.setdefault("status", "active")
        fulfilment.setdefault("status", "requested")
        if "authored_on" in referral:
            fulfilment.setdefault("authored_on", referral["authored_on"])
        document["fulfilments"] = [fulfilment]
        return document

    def header(self, f: list[str], document: dict[str, Any], env: Er7Environment) -> None:
        envelope: dict[str, Any] = {}
        sender: dict[str, Any] = {}
        receiver: dict[str, Any] = {}
        put(sender, "application", text, f, 3, env)
        put(sender, "facility", text, f, 4, env)
        put(receiver, "application", text, f, 5, env)
        put(receiver, "facility", text, f, 6, env)
        put(envelope, "sent_at", self.when, f, 7, env)
        put(envelope, "id", text, f, 10, env)
        put(envelope, "processing", text, f, 11, env)
        put(envelope, "version", text, f, 12, env)
        put(envelope, "accept_ack", text, f, 15, env)
        put(envelope, "application_ack", text, f, 16, env)
        put(envelope, "character_set", text, f, 18, env)
        if sender:
            envelope["sender"] = sender
        if receiver:
            envelope["receiver"] = receiver
        document["kind"] = self.kind(part(f, 9, 2, env), env)
        document["envelope"] = envelope

    def request_of(
        self,
        f: list[str],
        referral: dict[str, Any],
        fulfilment: dict[str, Any],
        env: Er7Environment,
    ) -> None:
        put(referral, "status", self.request, f, 1, env)
        put(fulfilment, "status", self.task, f, 1, env)
        put(referral, "priority", self.priority, f, 2, env)
        service: dict[str, Any] = {}
        put(service, "category", self.concept, f, 3, env)
        if service:
            referral["service"] = service
        put_all(referral, "disposition", self.coding, f, 4, env)
        put(referral, "setting", self.coding, f, 5, env)
        identifiers = [self.placer(f[6], env)] if len(f) > 6 and f[6] else []
        if identifiers:
            fulfilment["identifiers"] = [dict(identifiers[0])]
        if len(f) > 11 and f[11]:
            identifiers.append(self.filler(f[11], env))
        if identifiers:
            referral["identifiers"] = identifiers
        occurrence: dict[str, Any] = {}
        put(occurrence, "start", self.when, f, 7, env)
        put(occurrence, "end", self.when, f, 8, env)
        if occurrence:
            referral["occurrence"] = occurrence
        put(referral, "authored_on", self.when, f, 9, env)
        put_all(referral, "reasons", self.concept, f, 10, env)

    def party(self, f: list[str], env: Er7Environment) -> dict[str, Any]:
        found: dict[str, Any] = {}
        practitioner: dict[str, Any] = {}
        for key, number in (("role", 1), ("role_text", 2)):
            value = text(part(f, 1, number, env), env)
            if value:
                found[key] = value
        put(practitioner, "name", self.name, f, 2, env)
        put_all(practitioner, "addresses", self.address, f, 3, env)
        location, organization = text(part(f, 4, 1, env), env), text(part(f, 4, 4, env), env)
        if location:
            found["location"] = location
        if organization:
            found["organization"] = {"name": organization}
        put_all(found, "telecoms", self.phone, f, 5, env)
        put_all(practitioner, "identifiers", self.numbered, f, 7, env)
        period: dict[str, Any] = {}
        put(period, "start", self.when, f, 8, env)
        put(period, "end", self.when, f, 9, env)
        if practitioner:
            found["practitioner"] = practitioner
        if period:
            found["period"] = period
        return found

    def numbered(self, raw: str, env: Er7Environment) -> dict[str, Any] | None:
        found: dict[str, Any] = {}
        for key, each in zip(("value", "type", "assigner"), raw.split(env.cs), strict=False):
            value = text(each, env)
            if value:
                found[key] = value
        return found or None

    def contact(self, f: list[str], env: Er7Environment) -> dict[str, Any]:
        found: dict[str, Any] = {}
        put(found, "role", self.concept, f, 1, env)
        put(found, "name", self.name, f, 2, env)
        put_all(found, "addresses", self.address, f, 3, env)
        put_all(found, "telecoms", self.phone, f, 5, env)
        put_all(found, "identifiers", self.numbered, f, 7, env)
        return found

    def subject(self, f: list[str], env: Er7Environment) -> dict[str, Any]:
        found: dict[str, Any] = {}
        put_all(found, "identifiers", self.identifier, f, 3, env)
        put(found, "name", self.name, f, 5, env)
        put(found, "birth_date", self.day, f, 7, env)
        put(found, "gender", self.gender, f, 8, env)
        put_all(found, "addresses", self.address, f, 11, env)
        put_all(found, "telecoms", self.home, f, 13, env)
        if len(f) > 14 and f[14]:
            numbers = [self.work(each, env) for each in f[14].split(env.rs) if each]
            found.setdefault("telecoms", []).extend(each for each in numbers if each)
        put(found, "language", self.language, f, 15, env)
        put(found, "marital_status", self.concept, f, 16, env)
        return found

    def need(self, f: list[str], env: Er7Environment) -> dict[str, Any]:
        found: dict[str, Any] = {"status": "active"}
        code: dict[str, Any] = {}
        put(code, "codings", self.codings, f, 3, env)
        put(code, "text", text, f, 4, env)
        if "text" not in code:
            words = text(part(f, 3, 9, env), env)
            if not words and not part(f, 3, 1, env):
                words = text(part(f, 3, 2, env), env)
            if words:
                code["text"] = words
        if code:
            found["code"] = code
        put(found, "onset", self.when, f, 5, env)
        if len(f) > 6 and f[6] and f[6] != "W":
            found["category"] = text(f[6], env)
        put(found, "asserter", self.person, f, 16, env)
        put(found, "recorded", self.when, f, 19, env)
        return found

    def observed(self, f: list[str], referral: dict[str, Any], env: Er7Environment) -> None:
        where = LOCAL.get(part(f, 3, 1, env)) if part(f, 3, 3, env) == "99SPA" else None
        if where is None:
            return
        group, key, kind = where
        into = referral if group is None else referral.setdefault(group, {})
        value = getattr(self, kind)(f[5], env) if kind != "text" else text(f[5], env)
        if key in LISTED:
            into.setdefault(key, []).append(value)
        else:
            into[key] = value

    def note(self, f: list[str], referral: dict[str, Any], env: Er7Environment) -> None:
        kind = part(f, 4, 1, env)
        if kind == "1R":
            referral["reason"] = self.lines(f[3], env)
            return
        found: dict[str, Any] = {}
        put(found, "text", self.lines, f, 3, env)
        if kind:
            found["kind"] = text(kind, env)
        referral.setdefault("notes", []).append(found)


LISTED = {"interests", "gifts", "goals", "accessibility"}
LOCAL: dict[str, tuple[str | None, str, str]] = {
    "what-matters": (None, "what_matters", "lines"),
    "interest": (None, "interests", "lines"),
    "gift": (None, "gifts", "lines"),
    "goal": (None, "goals", "lines"),
    "accessibility": (None, "accessibility", "lines"),
    "may-leave-message": ("contact_rules", "may_leave_message", "boolean"),
    "consent-status": ("consent", "status", "text"),
    "consent-date": ("consent", "date", "when"),
    "consent-share-back": ("consent", "share_back", "text"),
}


def part(fields: list[str], number: int, component: int, env: Er7Environment) -> str:
    if len(fields) <= number:
        return ""
    raw = fields[number]
    if env.rs in raw:
        raw = raw.partition(env.rs)[0]
    parts = raw.split(env.cs)
    return parts[component - 1] if len(parts) >= component else ""


def put(
    into: dict[str, Any], key: str, read: Any, fields: list[str], number: int, env: Er7Environment
) -> None:
    if len(fields) > number and fields[number]:
        raw = fields[number]
        value = read(raw.partition(env.rs)[0] if env.rs in raw else raw, env)
        if value is not None:
            into[key] = value


def put_all(
    into: dict[str, Any], key: str, read: Any, fields: list[str], number: int, env: Er7Environment
) -> None:
    if len(fields) > number and fields[number]:
        found = [read(each, env) for each in fields[number].split(env.rs) if each]
        values = [each for each in found if each is not None]
        if values:
            into[key] = values


def main() -> None:
    """Print how many times the hand-written mapping's time the compiled table takes."""
    packs = load_packs(installed_formats())
    settings = Settings(timezone="America/Toronto")
    mapping = packs.find("hl7v2", "REF^I12")
    tree = packs.formats["hl7v2"].parse(messages.shipped("ref-i12-20-segments.hl7").encode())
    hand = Handwritten(dict(packs.packs["hl7v2_ref"].codes))
    assert hand.document(tree, settings) == mapping.to_right(tree, settings).document
    ratios = []
    for _ in range(ROUNDS):
        compiled = typical(lambda _: mapping.to_right(tree, settings), TIMES)
        ratios.append(compiled / typical(lambda _: hand.document(tree, settings), TIMES))
    ratios.sort()
    middle, low, high = statistics.median(ratios), ratios[0], ratios[-1]
    print(f"compiled / hand-written: {middle:.2f} ({low:.2f}-{high:.2f})")
    print(f"at {time.strftime('%H:%M')}, {TIMES} times in each of {ROUNDS} rounds")


if __name__ == "__main__":
    main()
