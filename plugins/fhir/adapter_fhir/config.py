"""The settings of one site: `[sites.NAME.settings]`."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, SecretStr, field_validator

from adapter.plugin.http import HttpSystemConfig

_PARTY = re.compile(r"(Organization|PractitionerRole|Practitioner)/[A-Za-z0-9\-.]{1,64}")


class FhirConfig(HttpSystemConfig):
    """Where the peer's FHIR server is, who we are there, and how referrals travel."""

    vendor: str = Field(
        default="",
        description="whose server it is: generic, or a file of adapter_fhir/quirks; "
        "empty: as the plugin says",
        examples=["hapi"],
    )
    us: str = Field(
        default="",
        description="our own record on the peer's server, whose Tasks are ours: TYPE/ID",
        examples=["Organization/social-prescribing-hub"],
    )
    them: str = Field(
        default="",
        description="who the Tasks that we create there are for: TYPE/ID on the peer's server",
        examples=["Organization/maple-street"],
    )
    flow: Literal["hosted-there", "direct"] = Field(
        default="hosted-there",
        description="a referral that we send: hosted-there puts request and Task on the peer's "
        "server; direct puts the Task there, and leaves the request here to be read",
    )
    own_fhir: str = Field(
        default="",
        description="our FHIR API as the peer reaches it, for flow direct; empty: from base_url "
        "of [server]",
        examples=["https://adapter.example.org/fhir"],
    )
    search: dict[str, str] = Field(
        default_factory=dict,
        description="parameters that every search for news carries, where a server wants them",
        examples=[{"ah-practice": "Organization/a-1.Practice-195900"}],
    )
    claim: bool = Field(
        default=False, description="take requested Tasks that have no owner: the first wins"
    )
    page_size: int = Field(default=50, ge=1, le=500, description="Tasks asked for at a time")
    overlap_seconds: int = Field(
        default=60,
        ge=0,
        le=86_400,
        description="how far each poll looks back behind what it saw, for clocks that differ",
    )
    subscribe: Literal["off", "rest-hook", "backport"] = Field(
        default="off",
        description="let the server tell us of news: R4 rest-hook, or the R5 backport's topics; "
        "polling goes on besides",
    )

    push_token: SecretStr | None = Field(
        default=None,
        description="reference to the bearer token of a peer that pushes referrals to us; without "
        "one, only test sites take what anyone brings",
        examples=["env:AGENCY_TOKEN"],
    )

    @field_validator("us", "them")
    @classmethod
    def _party(cls, value: str) -> str:
        if value and not _PARTY.fullmatch(value):
            raise ValueError("expected Organization/ID, PractitionerRole/ID or Practitioner/ID")
        return value
