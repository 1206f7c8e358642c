"""A plugin's move, as the desk takes it, and the desk's answer as the plugin gets it."""

from __future__ import annotations

from typing import Any

from adapter.exchange import desk
from adapter.exchange.sites import SiteFacts
from adapter.plugin.acts import Acted, Move
from adapter.plugin.errors import PluginError
from adapter.referral import room
from adapter.referral.lifecycle import STATUSES
from adapter.referral.model import Note, Reason
from adapter.referral.reasons import reasons

UNKNOWN = "fulfilment.unknown"


async def make(wanted: Move, *, site: SiteFacts, at: desk.Desk) -> Acted:
    """Make a move as the organization of a site.

    Raises:
        PluginError: it is no move: no key, no fulfilment, or a wrong type. TransientError: the
            store cannot take it now.
    """
    _check(wanted)
    if wanted.to is not None and wanted.to not in STATUSES:
        why = f"there is no status {wanted.to[:40]!r}"
        return Acted(state="refused", status=422, code="lifecycle.unknown", message=why)
    if wanted.reason is not None and wanted.reason not in reasons():
        why = f"there is no reason {wanted.reason[:40]!r}"
        return Acted(state="refused", status=422, code="reason.unknown", message=why)
    now = at.now().isoformat(timespec="seconds")
    text = wanted.reason_text.strip()
    if wanted.reason and not text:
        text = reasons()[wanted.reason].text[site.language]
    reason = Reason(code=wanted.reason, text=text or None) if wanted.reason or text else None
    said = wanted.note.strip()
    note = Note(text=said, author=site.organization, time=now) if said else None
    acted = await at.act(
        room.Move(
            fulfilment=wanted.fulfilment,
            actor="performer",
            to=wanted.to,
            reason=reason,
            note=note,
            occurred=wanted.occurred.isoformat() if wanted.occurred else None,
        ),
        site=site.name,
        actor=wanted.actor or site.name,
        key=wanted.key,
    )
    return answer(acted)


def answer(acted: desk.Acted) -> Acted:
    """What the desk said, in a plugin's terms."""
    if acted.refused is None:
        return Acted(state="done" if acted.state == "done" else "already", status=200)
    why = acted.refused
    if why.code == UNKNOWN:
        return Acted(state="unknown", status=404, code=why.code, message=why.message, fix=why.fix)
    status = 409 if why.code.startswith("lifecycle.not-allowed") else _status(why.code)
    return Acted(state="refused", status=status, code=why.code, message=why.message, fix=why.fix)


def _status(code: str) -> int:
    """What is missing can be added (422); what the referral does not allow can not (409)."""
    return 422 if code.endswith("-required") else 409


def _check(wanted: Move) -> None:
    texts: dict[str, Any] = {
        "fulfilment": wanted.fulfilment,
        "key": wanted.key,
        "reason_text": wanted.reason_text,
        "note": wanted.note,
        "actor": wanted.actor,
    }
    wrong = [name for name, value in texts.items() if not isinstance(value, str)]
    wrong += [name for name in ("fulfilment", "key") if not texts[name]]
    if wrong:
        raise PluginError(
            "plugin.wrong-type",
            f"a Move was made whose {wrong[0]} is no text, or empty",
            fix="Update the plugin, or ask its maker.",
        )
