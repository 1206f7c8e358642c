"""An exchange in memory for the pages' tests: one referral, the real lifecycle, the real room.

The people are invented and marked synthetic.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from adapter.exchange.desk import Acted, AgencyView
from adapter.referral.disclosure import disclose, policy
from adapter.referral.lifecycle import lifecycle
from adapter.referral.model import (
    Address,
    Concept,
    Consent,
    ContactRules,
    Fulfilment,
    HumanName,
    Need,
    Note,
    Organization,
    Party,
    Person,
    Practitioner,
    Referral,
    RelatedPerson,
    Service,
    Telecom,
)
from adapter.referral.room import Case, Move, move

NOW = datetime(2026, 11, 22, 15, 4, tzinfo=UTC)

REFERRAL = Referral(
    id="referral-1",
    status="active",
    priority="urgent",
    authored_on="2026-11-20",
    subject=Person(
        name=HumanName(family="Synthetic-Tremblay", given=("Maria",)),
        birth_date="1948-03-01",
        gender="female",
        telecoms=(
            Telecom(system="phone", value="+1 613 555-0142", use="home"),
            Telecom(system="email", value="maria@example.org"),
        ),
        addresses=(Address(lines=("12 Example Street",), city="Ottawa", state="ON"),),
        language="fr",
    ),
    related=(
        RelatedPerson(
            name=HumanName(text="Luc Synthetic-Tremblay"), relationship=Concept(text="son")
        ),
    ),
    requester=Party(
        practitioner=Practitioner(name=HumanName(text="Dr. Synthetic Osei")),
        organization=Organization(
            name="Rideau Test Clinic", telecoms=(Telecom(system="phone", value="613-555-0100"),)
        ),
    ),
    service=Service(code=Concept(text="Social group"), program="Thursday Garden Club"),
    needs=(
        Need(code=Concept(text="Feels lonely since her husband died"), category="social"),
        Need(code=Concept(text="Hidden need"), category="mental-health"),
    ),
    reason="Lives alone, would like company and fresh air.",
    what_matters="I want to be with people again, and to get my hands in the soil.",
    interests=("gardening", "choir"),
    gifts=("knows how to prune roses",),
    goals=("Go out twice a week",),
    contact_rules=ContactRules(
        may_leave_message=False, safe_contact="Call, do not text.", preferred="phone",
        best_time="Weekday mornings",
    ),
    language="fr",
    interpreter=False,
    accessibility=("Uses a walker", "Needs large print"),
    consent=Consent(status="active", date="2026-11-19", share_back="summary"),
    notes=(
        Note(text="Bring outdoor shoes.", time="2026-11-20T10:00:00-05:00", kind="for-program"),
        Note(text="Not for the agency.", kind="internal"),
    ),
    test=True,
)  # fmt: skip

FULFILMENT = Fulfilment(
    id="work-1",
    referral="referral-1",
    program="Thursday Garden Club",
    recipient=Party(organization=Organization(name="Example Garden Club")),
    status="requested",
    last_modified="2026-11-20T10:00:00-05:00",
)


@dataclass
class MemoryDesk:
    """A `Desk` over one case; every view and every move is kept in the order it came."""

    case: Case = field(default_factory=lambda: Case(referral=REFERRAL, fulfilments=(FULFILMENT,)))
    site: str = "agency"
    time: datetime = NOW
    reply_by: datetime | None = NOW + timedelta(days=5)
    views: list[str] = field(default_factory=list)
    moves: list[Move] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)

    async def view(self, fulfilment: str, *, site: str, actor: str) -> AgencyView | None:
        view = await self.form(fulfilment, site=site)
        if view is not None:
            self.views.append(actor)
        return view

    async def form(self, fulfilment: str, *, site: str) -> AgencyView | None:
        found = self.case.fulfilment(fulfilment)
        if found is None or site != self.site:
            return None
        shown = disclose(self.case.referral, policy())
        return AgencyView(
            reference="rx-7f3a2c",
            referral=shown.referral,
            fulfilment=found,
            withheld=shown.withheld,
            choices=lifecycle().choices(found.status or "draft", "performer"),
            program=found.program,
            received=NOW - timedelta(days=2),
            reply_by=self.reply_by,
            test=bool(self.case.referral.test),
            timezone=ZoneInfo("America/Toronto"),
        )

    async def act(self, wanted: Move, *, site: str, actor: str, key: str) -> Acted:
        if key in self.keys:
            return Acted(state="already")
        decision = move(self.case, wanted, lifecycle(), self.time.isoformat(timespec="seconds"))
        if decision.refused:
            return Acted(state="refused", refused=decision.refused)
        self.keys.add(key)
        self.moves.append(wanted)
        self.case = decision.case
        return Acted(state="done")

    def now(self) -> datetime:
        return self.time

    def set(self, **changes: object) -> None:
        """Change the referral's fields, as a test needs them."""
        self.case = replace(self.case, referral=replace(self.case.referral, **changes))  # type: ignore[arg-type]

    @property
    def work(self) -> Fulfilment:
        """The fulfilment as it stands."""
        return self.case.fulfilments[0]
