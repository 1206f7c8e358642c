"""What a directory says of its programs, and of how much room each has.

Names are those of HealthcareService (FHIR R4); where Open Referral HSDS 3.x has the same under
another name, it stands beside it. What a directory does not say stays empty: nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Room = Literal["open", "waitlist", "full", "ask-first", "closed"]
"""``open``: it takes people now. ``waitlist``: it takes names, and people later. ``full``: it takes
nobody now. ``ask-first``: whether it can is found out case by case. ``closed``: it does not run.

Of SDOH Clinical Care 3.0 (Capacity Status): capacity, waitlist, no-capacity and
additional-assessment-required. Of HSDS: ``closed`` is the service status *temporarily closed*."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedProgram:
    """One program as a directory lists it (HealthcareService; HSDS service).

    Attributes:
        id: the directory's own id of it, the same at every listing.
        name: by language, ``en`` or ``fr``; one is enough.
        active: False if it is listed and does not take anybody any more (HSDS status inactive).
        provided_by: the name of the organization that runs it (providedBy; HSDS organization).
        identifiers: further numbers and names that a referral may name it by.
        category: codes of the needs that it serves (category and type; HSDS taxonomy terms).
        characteristic: words for what it offers, as a client may say them.
        communication: languages in which it is given, BCP 47 (HSDS languages).
        eligibility: who may come, in words (HSDS eligibility_description).
        coverage_area: where it serves people, by name (coverageArea; HSDS service_areas).
        cost: ``free``, or what it costs in words (serviceProvisionCode; HSDS cost_options); empty
            if the directory does not say.
        comment: what it is, in words (HSDS description).
        email, phone, url: how it is reached (telecom).
        updated: when the directory last changed this (meta.lastUpdated; HSDS last_modified).
    """

    id: str
    name: Mapping[str, str]
    active: bool = True
    provided_by: str = ""
    identifiers: tuple[str, ...] = ()
    category: tuple[str, ...] = ()
    characteristic: tuple[str, ...] = ()
    communication: tuple[str, ...] = ()
    eligibility: str = ""
    coverage_area: tuple[str, ...] = ()
    cost: str = ""
    comment: str = ""
    email: str | None = None
    phone: str | None = None
    url: str | None = None
    updated: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """How much room one program has, as its directory says (HSDS service_capacity).

    A program of which nothing is said has none of these: that is not the same as ``open``.

    Attributes:
        program: its id, as the directory lists it.
        status: see `Room`.
        available, maximum: places, in `unit`; None if they are not counted.
        note: what is to be known about it, in words, for whoever chooses.
        updated: when the program said so; None if the directory does not know.
    """

    program: str
    status: Room
    available: int | None = None
    maximum: int | None = None
    unit: str = ""
    note: str = ""
    updated: datetime | None = None
