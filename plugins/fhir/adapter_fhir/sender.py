"""Deliveries: a referral to its performer's server, and news to its requester's."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import urljoin

from adapter.plugin import AdapterError, Context, DataError, Delivered, Outbound
from adapter_fhir import standing
from adapter_fhir.config import FhirConfig
from adapter_fhir.correlation import Correlation, Known
from adapter_fhir.outcome import in_words, outcome_piece
from adapter_fhir.outward import Outgoing, Piece, as_order, direct, placed
from adapter_fhir.references import LITERAL, linked, relative
from adapter_fhir.statement import Offers
from adapter_fhir.writer import Writer

Json = dict[str, Any]
ORDER_EVENTS = frozenset({"request", "modify", "cancel"})
_URN = "urn:uuid:"


class Sender:
    """Delivers to the server of one site."""

    def __init__(
        self, context: Context, config: FhirConfig, *, correlation: Correlation, writer: Writer
    ) -> None:
        self._context = context
        self._config = config
        self._base = config.base_url
        self._correlation = correlation
        self._writer = writer

    async def deliver(self, message: Outbound, offers: Offers) -> Delivered:
        """Bring one message; see `adapter.plugin.Delivers`."""
        outgoing = Outgoing(message.body)
        if message.event in ORDER_EVENTS:
            known = await self._correlation.of_fulfilment(message.fulfilment or "")
            if known is None and message.event != "request":
                known = await self._made(message)
            if known is None:
                return await self._order(message, outgoing, offers)
            if message.event == "request":
                return _delivered(known)
            if message.event == "cancel":
                return await self._cancel(known, outgoing, offers)
            return await self._modify(known, outgoing, offers)
        return await self._tell(message, outgoing, offers)

    async def find(self, message: Outbound) -> Delivered | None:
        """The Task of a request that was sent; other deliveries are made again, harmlessly."""
        if message.event != "request":
            return None
        known = await self._made(message)
        return _delivered(known) if known else None

    # -- a referral to the server of who carries it out ---------------------------------------

    async def _made(self, message: Outbound) -> Known | None:
        """The Task that we made for a fulfilment; asked for by its link if we do not know."""
        own = message.fulfilment or ""
        known = await self._correlation.of_fulfilment(own)
        if known is not None and known.task:
            return known
        place = await self._writer.find_linked("Task", f"{_URN}{own}")
        if place is None:
            return None
        task, _ = await self._writer.read(place)
        return await self._keep(message, place, task)

    async def _keep(self, message: Outbound, place: str, task: Json) -> Known:
        focus = str((task.get("focus") or {}).get("reference", ""))
        known = Known(
            side="made",
            fulfilment=message.fulfilment or "",
            referral=message.referral,
            task=place,
            request=relative(focus, self._base),
            patient=str((task.get("for") or {}).get("reference", "")),
        )
        await self._correlation.keep(known)
        return known

    async def _order(self, message: Outbound, outgoing: Outgoing, offers: Offers) -> Delivered:
        task = outgoing.task(message.fulfilment)
        if task is None:
            raise DataError(
                "fhir.no-task",
                "what is to be delivered has no Task of this referral",
                fix="Check the site's dialect and its mapping pack.",
            )
        url = outgoing.url_of(task)
        pieces = as_order(
            outgoing.pieces([url]), us=self._config.us, them=self._config.them, base=self._base
        )
        if self._config.flow == "direct":
            pieces = [self._alone(next(each for each in pieces if each.url == url), outgoing)]
        places = await self._writer.create(pieces, offers)
        await self._correlation.keep_places(
            message.referral, {each.link: places[each.url] for each in pieces if each.url in places}
        )
        sent = placed(next(each.resource for each in pieces if each.url == url), places)
        return _delivered(await self._keep(message, places[url], sent))

    def _alone(self, task: Piece, outgoing: Outgoing) -> Piece:
        """The Task by itself: everything that it refers to stays here, to be read."""
        kinds = {
            each: resource["resourceType"]
            for each, resource in outgoing.resources.items()
            if resource.get("id")
        }
        return replace(task, resource=direct(task.resource, self._own_fhir(), kinds))

    def _own_fhir(self) -> str:
        """Our FHIR API, as the peer reaches it."""
        own = self._config.own_fhir or urljoin(self._context.url(""), "../../fhir")
        return own.rstrip("/")

    async def _modify(self, known: Known, outgoing: Outgoing, offers: Offers) -> Delivered:
        """Our words on the request that we put there; in the direct flow it is read here anyway."""
        request = outgoing.one("ServiceRequest")
        if request is None or not LITERAL.fullmatch(known.request):
            return _delivered(known)
        url = outgoing.url_of(request)
        pieces = as_order(outgoing.pieces([url]), us="", them="", base=self._base)
        places = await self._correlation.places(known.referral)
        held = {each.url: places[each.link] for each in pieces if each.link in places}
        held[url] = known.request
        fresh = [each for each in pieces if each.url not in held]
        if fresh:
            linked_to = [replace(each, resource=placed(each.resource, held)) for each in fresh]
            held |= await self._writer.create(linked_to, offers)
        for piece in pieces:
            if piece.url == url or (piece.kind == "Patient" and piece.url in held):
                await self._replace(held[piece.url], placed(piece.resource, held), offers)
        return _delivered(known)

    async def _replace(self, place: str, resource: Json, offers: Offers) -> None:
        def make(before: Json) -> Json:
            kept: Json = {
                name: value for name, value in before.items() if name in ("id", "meta", "text")
            }
            return {**kept, **{name: resource[name] for name in resource if name != "meta"}}

        if offers.updates(place.partition("/")[0]):
            await self._writer.change(place, make, offers)

    async def _cancel(self, known: Known, outgoing: Outgoing, offers: Offers) -> Delivered:
        """Cancelled there, unless it ended before; the request that we put there is revoked."""
        ours = outgoing.task(known.fulfilment) or {}

        def make(task: Json) -> Json | None:
            if task.get("status") in standing.ENDED:
                return None
            reason = ours.get("statusReason")
            return {**task, "status": "cancelled", **({"statusReason": reason} if reason else {})}

        _, version = await self._writer.change(known.task, make, offers)
        if version:
            await self._correlation.keep(replace(known, wrote=version))
        request = outgoing.one("ServiceRequest")
        if request and request.get("status") == "revoked" and LITERAL.fullmatch(known.request):
            await self._writer.change(
                known.request,
                lambda each: {**each, "status": "revoked"} if each["status"] == "active" else None,
                offers,
            )
        return _delivered(known)

    async def settle(self, known: Known, offers: Offers) -> None:
        """Set the request that we put there to completed, once all its Tasks ended and one did.

        The source does that (SDOH-CC 3.0, direct referral, last step). Nothing waits for it: what
        goes wrong is logged, and the request stays active.
        """
        if not LITERAL.fullmatch(known.request) or not offers.updates("ServiceRequest"):
            return
        try:
            states = await self._writer.statuses(known.request, offers)
            if states <= standing.ENDED and "completed" in states:
                await self._writer.change(
                    known.request,
                    lambda each: (
                        {**each, "status": "completed"} if each.get("status") == "active" else None
                    ),
                    offers,
                )
        except AdapterError as error:
            self._context.log.warning("request.not-settled", code=error.code)

    # -- news to the server of who asked ------------------------------------------------------

    async def _tell(self, message: Outbound, outgoing: Outgoing, offers: Offers) -> Delivered:
        ours = outgoing.task(message.fulfilment) or outgoing.task(None)
        if ours is None:
            raise DataError(
                "fhir.no-task",
                "the news has no Task",
                fix="Check the site's dialect and its mapping pack.",
            )
        known = await self._taken(ours)
        if not known.task and offers.quirks.task != "none":
            return _delivered(known)  # the Task was brought to us: it is read here
        if offers.quirks.outcome != "output" or not offers.updates("Task"):
            return await self._to_chart(message, outgoing, ours, known, offers)
        places = await self._outputs(outgoing, ours, known, offers) if known.patient else {}
        ours = in_words(outgoing, ours, places)

        def make(task: Json) -> Json | None:
            after = standing.changed(task, ours, places, offers.quirks)
            ended = task.get("status") in standing.ENDED
            if ended and after.get("status") != task.get("status"):
                raise DataError(
                    "fhir.task-ended",
                    "the Task had already ended on the peer's server, in another way",
                    fix="Both are in the journal; agree with the peer what holds, then discard "
                    "this delivery.",
                )
            return after

        _, version = await self._writer.change(known.task, make, offers)
        if version:
            known = replace(known, wrote=version)
            await self._correlation.keep(known)
        return _delivered(known)

    async def _taken(self, ours: Json) -> Known:
        """The Task of the peer's that a fulfilment of ours carries out."""
        known = await self._correlation.of_fulfilment(str(ours.get("id", "")))
        if known is not None:
            return known
        for link in linked(ours):
            place = relative(link, self._base)
            if LITERAL.fullmatch(place) and place.startswith("Task/"):
                task, _ = await self._writer.read(place)
                focus = str((task.get("focus") or {}).get("reference", ""))
                known = Known(
                    side="taken",
                    fulfilment=str(ours.get("id", "")),
                    referral="",
                    task=place,
                    request=relative(focus, self._base),
                    patient=str((task.get("for") or {}).get("reference", "")),
                )
                await self._correlation.keep(known)
                return known
        raise DataError(
            "fhir.task-unknown",
            "this referral did not come from a Task on this server",
            fix="Look at the referral's journal: its requester is another site.",
        )

    async def _outputs(
        self, outgoing: Outgoing, ours: Json, known: Known, offers: Offers
    ) -> dict[str, str]:
        """What our outputs refer to, on the peer's server, about the peer's own patient."""
        wanted = [
            each["valueReference"]["reference"]
            for each in ours.get("output") or ()
            if "valueReference" in each
        ]
        here = {
            url: known.patient
            for url, each in outgoing.resources.items()
            if each["resourceType"] == "Patient"
        }
        here |= {
            url: known.request
            for url, each in outgoing.resources.items()
            if each["resourceType"] == "ServiceRequest"
        }
        pieces = [each for each in outgoing.pieces(wanted) if each.url not in here]
        about = [
            replace(each, resource=_based(placed(each.resource, _and_own(here, pieces)), known))
            for each in pieces
        ]
        return await self._writer.create(about, offers) if about else {}

    async def _to_chart(
        self, message: Outbound, outgoing: Outgoing, ours: Json, known: Known, offers: Offers
    ) -> Delivered:
        """Where no Task can carry it, one document in the client's chart says what came of it."""
        if ours.get("status") not in standing.ENDED:
            if offers.updates("Task") and known.task:
                quiet = offers.quirks
                await self._writer.change(
                    known.task,
                    lambda task: standing.changed(task, {**ours, "output": []}, {}, quiet),
                    offers,
                )
            return _delivered(known)
        piece = outcome_piece(
            outgoing,
            ours,
            offers.quirks.outcome,
            patient=known.patient,
            request=known.request,
            language=self._context.site.language,
            at=message.created.isoformat(timespec="seconds"),
        )
        places = await self._writer.create([piece], offers)
        if offers.updates("Task") and known.task:
            await self._writer.change(
                known.task,
                lambda task: standing.changed(task, {**ours, "output": []}, {}, offers.quirks),
                offers,
            )
        return Delivered(external_ids={piece.kind: places.get(piece.url, "")})


def _and_own(here: dict[str, str], pieces: list[Piece]) -> dict[str, str]:
    """Places that are known, and pieces that are still to get one."""
    return {**{each.url: each.url for each in pieces}, **here}


def _based(resource: Json, known: Known) -> Json:
    """A Procedure says which request it fulfils."""
    if resource.get("resourceType") != "Procedure" or not known.request:
        return resource
    return {**resource, "basedOn": [{"reference": known.request}]}


def _delivered(known: Known) -> Delivered:
    ids = {"Task": known.task, "ServiceRequest": known.request, "Patient": known.patient}
    return Delivered(external_ids={name: value for name, value in ids.items() if value})
