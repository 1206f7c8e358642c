"""One minimal wrong FHIR server for each requirement of an endpoint: the strict fake, at fault."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from adapter_conformance.fakes import fhir_rules as rules
from adapter_conformance.fakes.fhir_asking import Answer, Asking, Json, Refusal
from adapter_conformance.fakes.fhir_notices import Notices
from adapter_conformance.fakes.fhir_server import FhirServer
from adapter_conformance.fakes.fhir_store import Version

TOKEN = "planted-token"
ENDPOINT_MUTANTS: dict[str, type[FhirServer]] = {}


class Guard:
    """Lets in who shows the token."""

    def accepts(self, request: Request) -> bool:
        return request.headers.get("Authorization") == f"Bearer {TOKEN}"


def right(server: type[FhirServer] = FhirServer) -> FhirServer:
    """A strict server with subscriptions, closed to others."""
    made = server("strict", guard=Guard())
    made.after.append(Notices(made).send_over_http)
    return made


def mutant(requirement: str) -> Callable[[type[FhirServer]], type[FhirServer]]:
    """Mark the wrong server of a requirement."""

    def mark(made: type[FhirServer]) -> type[FhirServer]:
        assert requirement not in ENDPOINT_MUTANTS
        ENDPOINT_MUTANTS[requirement] = made
        return made

    return mark


def task(resource: Json | None) -> bool:
    return bool(resource) and resource["resourceType"] == "Task"  # type: ignore[index]


def by(asking: Asking, name: str) -> bool:
    return any(each.partition(":")[0] == name for each, _ in asking.query)


# -- metadata -------------------------------------------------------------------------------------


@mutant("metadata.capability-statement")
class SpeaksStu3(FhirServer):
    def metadata(self) -> Json:
        return {**super().metadata(), "fhirVersion": "3.0.2"}


@mutant("metadata.referrals-declared")
class HidesTheTask(FhirServer):
    def metadata(self) -> Json:
        said = super().metadata()
        for each in said["rest"][0]["resource"]:
            if each["type"] == "Task":
                each["interaction"] = [
                    one for one in each["interaction"] if one["code"] != "update"
                ]
        return said


@mutant("metadata.searches-true")
class ClaimsASearch(FhirServer):
    def metadata(self) -> Json:
        said = super().metadata()
        for each in said["rest"][0]["resource"]:
            each["searchParam"].append({"name": "claimed", "type": "token"})
        return said


# -- read -----------------------------------------------------------------------------------------


@mutant("read.fhir-json")
class PlainJson(FhirServer):
    def _response(self, answer: Answer) -> Response:
        made = super()._response(answer)
        if answer.status == 200 and (answer.body or {}).get("resourceType") == "Patient":
            made.headers["Content-Type"] = "application/json"
        return made


@mutant("read.what-was-written")
class LosesTheGender(FhirServer):
    def keep(self, kind: str, identity: str, resource: Json, method: str) -> Json:
        kept = {name: value for name, value in resource.items() if name != "gender"}
        return super().keep(kind, identity, kept, method)


@mutant("read.unknown-is-404")
class InventsATask(FhirServer):
    def read(self, asking: Asking, kind: str, identity: str) -> Answer:
        alone = "accept" in asking.headers  # no entry of a Bundle
        if kind == "Task" and alone and not self.store.known(kind, identity):
            return Answer(status=200, body={"resourceType": "Task", "id": identity})
        return super().read(asking, kind, identity)


@mutant("read.version")
class StrongTag(FhirServer):
    def read(self, asking: Asking, kind: str, identity: str) -> Answer:
        found = super().read(asking, kind, identity)
        return replace(found, headers={"ETag": found.headers["ETag"].removeprefix("W/")})


@mutant("read.history")
class ForgetsHistory(FhirServer):
    def history(self, asking: Asking, kind: str, rest: str) -> Answer:
        found = super().history(asking, kind, rest)
        body = found.body or {}
        return replace(found, body={**body, "entry": body["entry"][:1]})


# -- create ---------------------------------------------------------------------------------------


@mutant("create.location")
class NoLocation(FhirServer):
    def create(self, asking: Asking, kind: str, rest: str) -> Answer:
        found = super().create(asking, kind, rest)
        if "accept" not in asking.headers:  # an entry of a Bundle
            return found
        return replace(found, headers={"ETag": found.headers["ETag"]})


@mutant("create.if-none-exist")
class SaysCreatedAgain(FhirServer):
    def create(self, asking: Asking, kind: str, rest: str) -> Answer:
        condition = asking.headers.get("if-none-exist", "")
        made = super().create(asking, kind, rest)
        return replace(made, status=201) if condition and made.status == 200 else made


@mutant("create.if-none-exist-at-once")
class RacesWithItself(FhirServer):
    async def _answer(self, request: Request) -> Response:
        self.waiting = getattr(self, "waiting", 0) + 1
        try:
            import asyncio

            await asyncio.sleep(0)
            await asyncio.sleep(0)
            return await super()._answer(request)
        finally:
            self.waiting -= 1

    def create(self, asking: Asking, kind: str, rest: str) -> Answer:
        if self.waiting > 1:
            headers = {n: v for n, v in asking.headers.items() if n != "if-none-exist"}
            asking = replace(asking, headers=headers)
        return super().create(asking, kind, rest)


@mutant("create.several-match")
class TakesTheFirst(FhirServer):
    def create(self, asking: Asking, kind: str, rest: str) -> Answer:
        try:
            return super().create(asking, kind, rest)
        except Refusal as refusal:
            if refusal.code != "multiple-matches":
                raise
            found = next(self.store.all(kind))
            return self.shown(self._found(kind, found["id"]), 200)


@mutant("create.references-lead-somewhere")
class TakesDanglingLinks(FhirServer):
    def check_references(self, kind: str, resource: Json) -> None:
        return


# -- update ---------------------------------------------------------------------------------------


@mutant("update.new-version")
class RefusesTheNewest(FhirServer):
    def check_version(self, found: Version, match: str) -> None:
        raise Refusal(412, "conflict", "it is another version", "http.if-match")


@mutant("update.id-of-the-address")
class TakesAnyId(FhirServer):
    def update(self, asking: Asking, kind: str, identity: str) -> Answer:
        return super().update(
            replace(asking, body={**(asking.body or {}), "id": identity}), kind, identity
        )


@mutant("update.stale-is-412")
class Says409(FhirServer):
    def check_version(self, found: Version, match: str) -> None:
        if match != str(found.number):
            raise Refusal(409, "conflict", "it is another version", "http.if-match")


@mutant("update.stale-changes-nothing")
class RefusesAndDoes(FhirServer):
    """It says 412 of the second old version that it is given, and writes all the same."""

    def _next(self, asking: Asking, kind: str, identity: str, made: Json) -> Answer:
        try:
            return super()._next(asking, kind, identity, made)
        except Refusal as refusal:
            if refusal.status == 412 and made.get("status") == "on-hold":
                self.keep(kind, identity, made, "PUT")
            raise


@mutant("update.one-of-two")
class ForgetsForAMoment(FhirServer):
    """Two writes at one moment both pass, because the second does not see the first."""

    late = False

    def check_version(self, found: Version, match: str) -> None:
        held = found.resource or {}
        first = found.number == 2 and match == "1" and held.get("owner") is None
        self.late = first and held.get("status") in ("accepted", "rejected")
        if not self.late:
            super().check_version(found, match)

    def check_task(self, before: Json, after: Json) -> None:
        late, self.late = self.late, False
        if not late:
            super().check_task(before, after)


# -- search ---------------------------------------------------------------------------------------


class Searches(FhirServer):
    """Changes what a search answers."""

    def search(self, asking: Asking, kind: str, rest: str) -> Answer:
        if kind == "Task" and self.wrongly(asking):
            kept = [pair for pair in asking.query if pair[0].partition(":")[0] not in self.ignores]
            asking = replace(asking, query=kept)
        return super().search(asking, kind, rest)

    ignores: tuple[str, ...] = ()

    def wrongly(self, asking: Asking) -> bool:
        return any(by(asking, name) for name in self.ignores)


@mutant("search.by-status")
class IgnoresStatus(Searches):
    ignores = ("status",)

    def wrongly(self, asking: Asking) -> bool:
        return by(asking, "status") and not by(asking, "owner")


@mutant("search.by-owner")
class IgnoresOwner(Searches):
    ignores = ("owner",)

    def wrongly(self, asking: Asking) -> bool:
        return dict(asking.query).get("owner") is not None and not by(asking, "status")


@mutant("search.by-requester")
class IgnoresRequester(Searches):
    ignores = ("requester",)


@mutant("search.unclaimed")
class IgnoresMissing(Searches):
    ignores = ("owner",)

    def wrongly(self, asking: Asking) -> bool:
        return by(asking, "owner") and "owner" not in dict(asking.query)


@mutant("search.since")
class IgnoresTheMoment(Searches):
    ignores = ("_lastUpdated",)

    def wrongly(self, asking: Asking) -> bool:
        return by(asking, "patient") and by(asking, "_lastUpdated")


@mutant("search.by-identifier")
class FindsByValueOnly(FhirServer):
    """It finds every Task of the run by the identifier of one."""

    def search(self, asking: Asking, kind: str, rest: str) -> Answer:
        if kind == "Task" and len(asking.query) == 1 and asking.method == "GET":
            name, text = asking.query[0]
            if name == "identifier":
                system = text.partition("|")[0]
                asking = replace(asking, query=[(name, f"{system}|")])
        return super().search(asking, kind, rest)


@mutant("search.by-focus")
class FindsByPatient(FhirServer):
    """By focus it finds what was written last, too."""

    def search(self, asking: Asking, kind: str, rest: str) -> Answer:
        found = super().search(asking, kind, rest)
        if kind != "Task" or [name for name, _ in asking.query] != ["focus"]:
            return found
        body = found.body or {}
        other = list(self.store.all("Task"))[-1]
        held = {each["resource"]["id"] for each in body["entry"]}
        if len(held) == 1 and other["id"] not in held and self._fresh(other):
            entry = {**body["entry"][0], "resource": other}
            body["entry"].append(entry)
        return found

    def _fresh(self, other: Json) -> bool:
        return other["status"] == "requested" and "owner" not in other


@mutant("search.pages")
class RepeatsAPage(FhirServer):
    def bundle(self, asking: Asking) -> Answer:
        if asking.method == "GET":
            token, _, start = dict(asking.query)["_page"].partition(".")
            late = str(max(0, int(start) - 1))
            asking = (
                replace(asking, query=[("_page", f"{token}.{late}")]) if start == "2" else asking
            )
        return super().bundle(asking)


@mutant("search.searchset")
class NoSelfLink(FhirServer):
    def search(self, asking: Asking, kind: str, rest: str) -> Answer:
        found = super().search(asking, kind, rest)
        body = found.body or {}
        links = [each for each in body.get("link", []) if each["relation"] != "self"]
        return replace(found, body={**body, "link": links})


@mutant("search.include-focus")
class IncludesNothing(Searches):
    ignores = ("_include",)


@mutant("search.by-post")
class ReadsTheAddressAlone(FhirServer):
    def search(self, asking: Asking, kind: str, rest: str) -> Answer:
        if rest == "_search" and kind == "Task":
            asking = replace(asking, query=[("status", "draft"), ("status", "accepted")])
        return super().search(asking, kind, rest)


@mutant("search.unknown-told")
class TakesAnySearch(Searches):
    ignores = ("synthetic-nothing",)


# -- Tasks ----------------------------------------------------------------------------------------


class Moves(FhirServer):
    """Lets some moves pass."""

    def check_task(self, before: Json, after: Json) -> None:
        if not self.lets(before.get("status", ""), after.get("status", "")):
            rules.check_move(before, after)
        rules.check_reason(after)
        rules.check_completed(after)
        rules.check_fixed(before, after)
        rules.check_outputs(before, after)

    def lets(self, was: str, now: str) -> bool:
        return False


@mutant("transitions.legal-done")
class RefusesADraft(Moves):
    def check_task(self, before: Json, after: Json) -> None:
        if (before["status"], after["status"]) == ("draft", "requested"):
            raise Refusal(409, "business-rule", "not this", "Task.status")
        super().check_task(before, after)


@mutant("transitions.illegal-refused")
class JumpsAhead(Moves):
    def lets(self, was: str, now: str) -> bool:
        return (was, now) == ("accepted", "rejected")


@mutant("transitions.ended-stays")
class OpensAgain(Moves):
    def lets(self, was: str, now: str) -> bool:
        return (was, now) == ("completed", "in-progress")


@mutant("transitions.beginning")
class BeginsAnywhere(FhirServer):
    def check(self, kind: str, before: Json | None, after: Json) -> None:
        if kind == "Task" and before is None and after.get("status") == "in-progress":
            return
        super().check(kind, before, after)


@mutant("transitions.unknown-status")
class TakesAnyStatus(FhirServer):
    def check(self, kind: str, before: Json | None, after: Json) -> None:
        if kind == "Task" and after.get("status") == "synthetic":
            return
        super().check(kind, before, after)


@mutant("transitions.same-status")
class RefusesToStay(FhirServer):
    def check_task(self, before: Json, after: Json) -> None:
        super().check_task(before, after)
        stays = before["status"] == after["status"] == "accepted"
        if stays and after.get("note") and not before.get("note"):
            raise Refusal(409, "business-rule", "it is so already", "Task.status")


@mutant("reasons.kept")
class LosesReasons(FhirServer):
    def keep(self, kind: str, identity: str, resource: Json, method: str) -> Json:
        kept = {name: value for name, value in resource.items() if name != "statusReason"}
        return super().keep(kind, identity, kept, method)


@mutant("outputs.needed-to-complete")
class CompletesWithNothing(Moves):
    def check_task(self, before: Json, after: Json) -> None:
        if after["status"] == "completed" and before["status"] == "in-progress":
            after = {**after, "output": after.get("output") or [{}]}
        super().check_task(before, after)


@mutant("outputs.all-kept")
class KeepsTwoOutputs(FhirServer):
    def keep(self, kind: str, identity: str, resource: Json, method: str) -> Json:
        if kind == "Task" and len(resource.get("output", [])) == 3:
            resource = {**resource, "output": resource["output"][:2]}
        return super().keep(kind, identity, resource, method)


@mutant("outputs.never-taken-away")
class ReplacesOutputs(FhirServer):
    def check_task(self, before: Json, after: Json) -> None:
        super().check_task({**before, "output": []}, after)


@mutant("task.keeps-what-it-says")
class LosesPriority(FhirServer):
    def keep(self, kind: str, identity: str, resource: Json, method: str) -> Json:
        if kind == "Task":
            resource = {name: value for name, value in resource.items() if name != "priority"}
        return super().keep(kind, identity, resource, method)


@mutant("task.focus-stays")
class TurnsTasks(FhirServer):
    def check_task(self, before: Json, after: Json) -> None:
        super().check_task({**before, "focus": after.get("focus")}, after)


# -- batch ----------------------------------------------------------------------------------------


@mutant("batch.reads")
class AnswersBackwards(FhirServer):
    def bundle(self, asking: Asking) -> Answer:
        found = super().bundle(asking)
        body = found.body or {}
        if body.get("type") == "batch-response":
            return replace(found, body={**body, "entry": body["entry"][::-1]})
        return found


@mutant("batch.transaction-links")
class LeavesUrns(FhirServer):
    """The request of a transaction is linked to a client of an earlier one."""

    def keep(self, kind: str, identity: str, resource: Json, method: str) -> Json:
        if kind == "ServiceRequest" and getattr(self, "in_bundle", False):
            first = next(self.store.all("Patient"))
            resource = {**resource, "subject": {"reference": f"Patient/{first['id']}"}}
        return super().keep(kind, identity, resource, method)

    def bundle(self, asking: Asking) -> Answer:
        self.in_bundle = True
        try:
            return super().bundle(asking)
        finally:
            self.in_bundle = False


@mutant("batch.transaction-whole")
class LeavesHalf(FhirServer):
    def bundle(self, asking: Asking) -> Answer:
        try:
            return super().bundle(asking)
        except Refusal:
            for entry in asking.body["entry"] if isinstance(asking.body, dict) else ():
                if entry.get("resource", {}).get("resourceType") == "Patient":
                    self.handle(Asking.of_entry(entry))
            raise


# -- subscriptions --------------------------------------------------------------------------------


@mutant("subscription.active")
class NeverActive(FhirServer):
    def keep(self, kind: str, identity: str, resource: Json, method: str) -> Json:
        if kind == "Subscription" and resource.get("status") == "active":
            resource = {**resource, "status": "error"}
        return super().keep(kind, identity, resource, method)


@mutant("subscription.tells")
class TellsNobody(FhirServer):
    def keep(self, kind: str, identity: str, resource: Json, method: str) -> Json:
        made = super().keep(kind, identity, resource, method)
        if kind == "Task":
            for told in self.written:
                told.__self__.pending.clear()  # type: ignore[attr-defined]
        return made


# -- errors ---------------------------------------------------------------------------------------


@mutant("errors.refused")
class TakesAnyDate(FhirServer):
    def check(self, kind: str, before: Json | None, after: Json) -> None:
        if kind == "Patient" and "birthDate" in after:
            after = {**after, "birthDate": "1950-01-01"}
        super().check(kind, before, after)


@mutant("errors.no-5xx")
class BreaksOnAList(FhirServer):
    def _resource(self, asking: Asking, kind: str) -> Json:
        if isinstance(asking.body, list):
            raise Refusal(500, "exception", "it broke", "http.body")
        return super()._resource(asking, kind)


@mutant("errors.operation-outcome")
class SaysNothing(FhirServer):
    def _response(self, answer: Answer) -> Response:
        if answer.status == 400:
            return Response("Bad request", 400)
        return super()._response(answer)


@mutant("errors.of-a-move")
class PointsNowhere(FhirServer):
    def refused(self, asking: Asking, refusal: Refusal) -> Answer:
        answer = super().refused(asking, refusal)
        if refusal.at == "Task.status":
            for issue in (answer.body or {})["issue"]:
                issue.pop("expression", None)
        return answer


@mutant("privacy.errors")
class RepeatsTheName(FhirServer):
    def refused(self, asking: Asking, refusal: Refusal) -> Answer:
        answer = super().refused(asking, refusal)
        body = asking.body if isinstance(asking.body, dict) else {}
        if refusal.at == "Patient.gender":
            (answer.body or {})["issue"][0]["diagnostics"] = f"no gender: {body['gender']}"
        return answer


@mutant("privacy.addresses")
class NamesInLocations(FhirServer):
    def shown(self, version: Version, status: int, *, located: bool = False) -> Answer:
        found = super().shown(version, status, located=located)
        names = (found.body or {}).get("name")
        if located and status == 201 and isinstance(names, list):
            family = names[0]["family"]
            said = f"{found.headers['Location']}?of={family}"
            return replace(found, headers={**found.headers, "Location": said})
        return found


@mutant("security.closed")
class TakesAnyToken(FhirServer):
    def __init__(self, *settings: Any, **more: Any) -> None:
        super().__init__(*settings, **more)
        self.guard = _Anybody()


class _Anybody:
    def accepts(self, request: Request) -> bool:
        return "Authorization" in request.headers


# -- flows ----------------------------------------------------------------------------------------


@mutant("flow.direct")
class OutcomeInError(FhirServer):
    """What an owned Task came to reads as not done, unless a poller had found the Task."""

    def read(self, asking: Asking, kind: str, identity: str) -> Answer:
        found = super().read(asking, kind, identity)
        if kind == "Procedure" and self._directly(identity):
            return replace(found, body={**(found.body or {}), "status": "not-done"})
        return found

    def _directly(self, identity: str) -> bool:
        owners = [
            each
            for each in self.store.all("Task")
            if f"Procedure/{identity}" in str(each.get("output")) and "owner" in each
        ]
        seen = getattr(self, "polled", set())
        return bool(owners) and owners[0]["id"] not in seen

    def search(self, asking: Asking, kind: str, rest: str) -> Answer:
        found = super().search(asking, kind, rest)
        if kind == "Task" and by(asking, "_include"):
            ids = {each["resource"]["id"] for each in (found.body or {}).get("entry", [])}
            self.polled = getattr(self, "polled", set()) | ids
        return found


@mutant("flow.direct-request-elsewhere")
class KnowsOnlyItsOwn(FhirServer):
    def check_references(self, kind: str, resource: Json) -> None:
        focus = resource.get("focus", {}).get("reference", "")
        if kind == "Task" and focus.startswith("http"):
            raise Refusal(422, "not-found", "it is not here", "Task.focus")
        super().check_references(kind, resource)


@mutant("flow.light")
class HidesFromPollers(FhirServer):
    def search(self, asking: Asking, kind: str, rest: str) -> Answer:
        asked = dict(asking.query)
        if kind == "Task" and "owner" in asked and "status" in asked:
            asking = replace(asking, query=[*asking.query, ("status", "draft")])
        return super().search(asking, kind, rest)


@mutant("flow.request-closed")
class LeavesRequestsOpen(FhirServer):
    def follow(self, written: Json) -> None:
        return


@mutant("flow.declined-goes-on")
class RevokesOnDecline(FhirServer):
    def follow(self, written: Json) -> None:
        super().follow(written)
        focus = written.get("focus", {}).get("reference", "").split("/")
        if written.get("status") == "rejected" and len(focus) == 2:
            asked = self.store.get(focus[0], focus[1])
            if asked is not None:
                self.keep(focus[0], focus[1], {**asked, "status": "revoked"}, "PUT")


@mutant("flow.claimed-once")
class ClaimsTwice(FhirServer):
    def check_version(self, found: Version, match: str) -> None:
        if (found.resource or {}).get("owner") and match == "1":
            return
        super().check_version(found, match)


@mutant("indirect.child-request")
class OneIntent(FhirServer):
    def keep(self, kind: str, identity: str, resource: Json, method: str) -> Json:
        if kind == "ServiceRequest":
            resource = {**resource, "intent": "order"}
        return super().keep(kind, identity, resource, method)


@mutant("indirect.child-task")
class FindsNoChildren(Searches):
    def search(self, asking: Asking, kind: str, rest: str) -> Answer:
        if kind == "Task" and by(asking, "part-of") and asking.query[0][1] != "Organization/x":
            asking = replace(asking, query=[*asking.query, ("status", "failed")])
        return super().search(asking, kind, rest)


@mutant("indirect.rolls-up")
class LosesTheParent(FhirServer):
    """The parent of a child that is done cannot be ended any more."""

    def check_task(self, before: Json, after: Json) -> None:
        super().check_task(before, after)
        own = f"Task/{after['id']}"
        children = [each for each in self.store.all("Task") if own in str(each.get("partOf"))]
        if after["status"] == "completed" and children:
            raise Refusal(409, "business-rule", "it has parts", "Task.status")
