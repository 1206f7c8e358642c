"""The agency's pages: what a visit shows, and what a posted form does.

A plugin decides who may see a page and carries the person here as a `Visit`. The pages ask the
`Desk` for what may be shown and hand it the moves; they keep nothing themselves.
"""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, tzinfo
from functools import partial
from typing import Any

from adapter.exchange.desk import AgencyView, Desk
from adapter.plugin.acts import Acted
from adapter.plugin.pages import Page, Visit
from adapter.portal.actions import BY_NAME, Action, offered
from adapter.portal.catalogue import known
from adapter.portal.closing import outcome
from adapter.portal.forms import Draft, Problem, Wanted, check
from adapter.portal.notices import in_words, is_fault, message_of, problem_of
from adapter.portal.questions import QuestionForm, shipped
from adapter.portal.render import page, see_other
from adapter.portal.standing import (
    consent_lines,
    genders,
    standing,
    telecom_label,
    told,
    ways,
)
from adapter.portal.words import Words, words
from adapter.referral.model import Note, Outcome, Party, Referral, Telecom
from adapter.referral.reasons import reasons, reasons_for
from adapter.referral.room import Move, Refused

_WAITING = ("requested", "received", "ready")
_HIDDEN = ("rejected", "cancelled", "entered-in-error")
"""The agency has nothing more to do with the person, so the details are not shown any more."""


class Pages:
    """Renders every page of the secure link and does what its forms ask.

    Args:
        questionnaire: the shipped questionnaire that closes a referral.
        new_key: makes the idempotency key of each form.
    """

    def __init__(
        self,
        *,
        questionnaire: str = "program-outcome",
        new_key: Callable[[], str] = secrets.token_urlsafe,
    ) -> None:
        self.questionnaire = questionnaire
        self.new_key = new_key

    async def page(self, visit: Visit, *, site: str, desk: Desk) -> Page:
        """The page of a visit. Changes nothing; a view of a person is audited by the desk."""
        if visit.name in ("landing", "code"):
            return self._entry(visit)
        if visit.name != "referral" or visit.fulfilment is None:
            return self._message(visit)
        view = await desk.view(visit.fulfilment, site=site, actor=visit.actor)
        if view is None:
            return self._message(replace(visit, name="not-found"))
        return self._referral(visit, view, desk)

    async def act(
        self, visit: Visit, form: Mapping[str, list[str]], *, site: str, desk: Desk
    ) -> Acted:
        """Do what a form asks.

        Returns: what came of it, with a page: 303 to the visit's own page when it is done (or was
        done before, with the same key); 422 with the form as it was typed and each problem; 409 if
        the referral does not allow it any more; 200 if the form asks only to be shown again
        (``show``).
        """
        if visit.fulfilment is None:
            return _unknown(self._message(replace(visit, name="not-found")))
        view = await desk.form(visit.fulfilment, site=site)
        if view is None:
            return _unknown(self._message(replace(visit, name="not-found")))
        draft = Draft(form)
        action = BY_NAME.get(draft.one("do"))
        if action is None or draft.one("show") or visit.problem:
            return _incomplete(await self._again(visit, site, desk, chosen=action, draft=draft))
        spoken = words(visit.language)
        now = desk.now().isoformat(timespec="seconds")
        wanted = check(action, draft, spoken, self._questions(visit), now)
        result = self._outcome(wanted, draft, view, now)
        problems = wanted.problems
        if "outcome" in action.asks and not problems and result is None:
            name = self._questions(visit).controls[-1].name
            problems = (Problem(name, in_words("nothing-said", spoken)),)
        if problems and action not in offered(
            view.choices
        ):  # what to correct is gone with the form
            page = await self._refused(visit, site, desk, action, draft, True)
            return _refused(page, None)
        if problems:
            page = await self._again(
                visit, site, desk, chosen=action, draft=draft, problems=problems, status=422
            )
            return _incomplete(page)
        move = Move(
            fulfilment=visit.fulfilment,
            to=action.to,
            actor="performer",
            reason=wanted.reason,
            note=replace(wanted.note, author=_author(view)) if wanted.note else None,
            outcome=result,
        )
        key = draft.one("key")[:64] or self.new_key()
        acted = await desk.act(move, site=site, actor=visit.actor, key=key)
        if acted.state == "refused":
            page = await self._refused(visit, site, desk, action, draft, acted.refused is not None)
            return _refused(page, acted.refused)
        page = see_other(visit.action, known(visit.language))
        return Acted(state=acted.state, status=page.status, page=page)

    async def _again(self, visit: Visit, site: str, desk: Desk, **more: Any) -> Page:
        """The referral's page as the answer to a form: it shows the person, and is audited."""
        view = await desk.view(visit.fulfilment or "", site=site, actor=visit.actor)
        if view is None:
            return self._message(replace(visit, name="not-found"))
        return self._referral(visit, view, desk, **more)

    async def _refused(
        self, visit: Visit, site: str, desk: Desk, action: Action, draft: Draft, why: bool
    ) -> Page:
        view = await desk.view(visit.fulfilment or "", site=site, actor=visit.actor)
        if view is None:
            return self._message(replace(visit, name="not-found"))
        open_still = action.to is None or action.to in view.choices
        problem = "not-accepted" if open_still or not why else "changed-meanwhile"
        return self._referral(
            replace(visit, problem=problem), view, desk, chosen=action, draft=draft, status=409
        )

    def _outcome(self, wanted: Wanted, draft: Draft, view: AgencyView, now: str) -> Outcome | None:
        if wanted.reading is None:
            return None
        return outcome(
            wanted.reading.answers,
            activity=draft.one("activity"),
            program=view.program,
            now=now,
            author=_author(view),
        )

    def _questions(self, visit: Visit) -> QuestionForm:
        return shipped(self.questionnaire, known(visit.language))

    def _entry(self, visit: Visit) -> Page:
        status = 422 if is_fault(visit) else 200
        status = 503 if visit.problem == "mail-failed" else status
        return page(
            f"{visit.name}.html",
            known(visit.language),
            status,
            {"visit": visit, "problem": problem_of(visit), "faulty": is_fault(visit)},
        )

    def _message(self, visit: Visit) -> Page:
        status, heading, lines = message_of(visit)
        made = page(
            "message.html",
            known(visit.language),
            status,
            {"visit": visit, "heading": heading, "lines": lines},
        )
        if status == 429:
            return replace(made, headers={**made.headers, "Retry-After": str(max(visit.wait, 1))})
        return made

    def _referral(
        self,
        visit: Visit,
        view: AgencyView,
        desk: Desk,
        *,
        chosen: Action | None = None,
        draft: Draft | None = None,
        problems: tuple[Problem, ...] = (),
        status: int = 200,
    ) -> Page:
        spoken = words(visit.language)
        actions = offered(view.choices)
        if chosen not in actions:
            chosen = None
        values = {
            **_facts(view, desk, spoken),
            "visit": visit,
            "problem": problem_of(visit),
            "faulty": is_fault(visit),
            "problems": problems,
            "faults_by_field": defaultdict(str, {each.field: each.text for each in problems}),
            "faultless": defaultdict(str),
            "actions": actions,
            "chosen": chosen,
            "draft": draft or Draft(),
            "blank": Draft(),
            "draft_form": f"form-{chosen.name}" if chosen else None,
            "questions": self._questions(visit),
            "reasons_for": reasons_for,
            "new_key": self.new_key,
        }
        return page("referral.html", known(visit.language), status, values)


def _facts(view: AgencyView, desk: Desk, spoken: Words) -> dict[str, Any]:
    """What the referral page says, apart from its forms."""
    work, referral, now = view.fulfilment, view.referral, desk.now()
    waiting = work.status in _WAITING
    reply_by = _local(view.reply_by, view.timezone) if view.reply_by else None
    coded = reasons().get(work.reason.code or "") if work.reason else None
    consent = referral.consent
    return {
        "view": view,
        "now": now,
        "waiting": waiting,
        "late": waiting and reply_by is not None and reply_by < now,
        "hidden": work.status in _HIDDEN,
        "received": _local(view.received, view.timezone),
        "reply_by": reply_by,
        "moment": partial(spoken.moment, zone=view.timezone),
        "state": standing(work.status, spoken, prohibited=_prohibited(referral)),
        "reason_text": coded.text[spoken.language] if coded else "",
        "consent": consent_lines(consent, spoken),
        "codes_only": consent is not None and consent.share_back == "codes",
        "genders": genders(spoken),
        "ways": ways(spoken),
        "telecom_label": partial(telecom_label, words=spoken),
        "told": partial(told, words=spoken),
        "clinic_phones": _telecoms(referral.requester),
        "notes": _in_order((*referral.notes, *work.notes)),
    }


def _prohibited(referral: Referral) -> bool:
    """True if the person must not be contacted."""
    return bool(referral.contact_rules and referral.contact_rules.do_not_contact)


def _local(time: datetime, zone: tzinfo) -> datetime:
    """A time as the agency's clock shows it; without an offset it is the agency's own."""
    return time.replace(tzinfo=zone) if time.tzinfo is None else time.astimezone(zone)


def _telecoms(party: Party | None) -> tuple[Telecom, ...]:
    """How to reach the clinic: the organization's own ways first, each once."""
    if party is None:
        return ()
    ways = (party.organization.telecoms if party.organization else ()) + party.telecoms
    ways += party.practitioner.telecoms if party.practitioner else ()
    return tuple({way.value: way for way in reversed(ways) if way.value}.values())[::-1]


def _in_order(notes: tuple[Note, ...]) -> list[Note]:
    return sorted((note for note in notes if note.text), key=lambda note: note.time or "")


def _author(view: AgencyView) -> str:
    recipient = view.fulfilment.recipient
    organization = recipient.organization if recipient else None
    return (organization.name if organization else None) or view.program or "agency"


def _unknown(page: Page) -> Acted:
    return Acted(state="unknown", status=page.status, page=page)


def _incomplete(page: Page) -> Acted:
    return Acted(state="incomplete", status=page.status, page=page)


def _refused(page: Page, why: Refused | None) -> Acted:
    """`why` is None where the form itself is no longer offered."""
    if why is None:
        return Acted(state="refused", status=page.status, code="lifecycle.not-allowed", page=page)
    return Acted(
        state="refused",
        status=page.status,
        code=why.code,
        message=why.message,
        fix=why.fix,
        page=page,
    )
