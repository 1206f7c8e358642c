"""How a plugin shows the core's pages to a person, and hands over what they sent.

The pages (templates, languages, forms) are the core's; a plugin decides who may see them. It
carries the person in a `Visit` and gets bytes and a status to send.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

PageName = Literal["landing", "code", "referral", "gone", "not-found", "busy"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One person at one page.

    Attributes:
        name: which page: ``landing`` (says nothing, offers one button), ``code`` (asks for the
            second factor), ``referral`` (the referral and its actions), ``gone`` (the link is no
            longer valid), ``not-found``, ``busy`` (too many tries; `wait` seconds).
        language: ``en`` or ``fr``.
        action: the path that the page's form posts to.
        languages: the path of this page in each language.
        fulfilment: whose page, for ``referral``.
        actor: who it is, for the audit and the journal: the link's id or address book entry; never
            a name typed by the visitor.
        csrf: a token that the form carries and the plugin checks.
        problem: a message id of the core's catalogue to show, for example ``code-wrong``.
        reference: the short reference that was in the e-mail.
    """

    name: PageName
    language: str
    action: str = ""
    languages: Mapping[str, str] = field(default_factory=dict)
    fulfilment: str | None = None
    actor: str = ""
    csrf: str = field(default="", repr=False)
    problem: str | None = None
    reference: str = ""
    wait: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page to send: status code, headers that the core wants (CSP, language, caching), HTML."""

    status: int
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)
