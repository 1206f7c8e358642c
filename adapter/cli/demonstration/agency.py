"""The agency: a person with an e-mail account and a browser, and nothing else.

Opens the link of the e-mail, reads the code that comes in a second e-mail, and fills in the forms
that the page shows, as a browser without JavaScript would.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urljoin

import httpx

from adapter.cli.demonstration.forms import Form, read_forms
from adapter.cli.demonstration.mailbox import Mailbox, code_in, link_in
from adapter.plugin.errors import SystemFault

PATIENCE = 20.0


class Visitor:
    """One visit to one referral's page."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox
        self._browser = httpx.AsyncClient(follow_redirects=True, timeout=PATIENCE)
        self._page = ""
        self._url = ""

    async def open(self, link: str) -> None:
        """Follow the link up to the referral: landing page, code by e-mail, page."""
        await self._get(link)
        seen = len(self._mailbox.letters)
        await self._post(self._form_with(), {})
        if self._asks_for_code():
            letter = await self._mailbox.wait_for(lambda each: code_in(each) is not None, seen)
            await self._post(self._form_with("code"), {"code": code_in(letter) or ""})
        if not any(form.field("do") for form in read_forms(self._page)):
            raise _unexpected("the page of the referral did not open")

    async def do(self, action: str, answers: Mapping[str, str]) -> None:
        """Send the form of one action with these answers.

        An answer whose field the form does not have, or does not offer, is left out.
        """
        form = self._form_doing(action)
        fitting = {name: value for name, value in answers.items() if _takes(form, name, value)}
        await self._post(form, fitting)

    async def close(self) -> None:
        """Close the browser."""
        await self._browser.aclose()

    def offers(self, action: str) -> bool:
        """True if the page shows this action."""
        return any(_does(form, action) for form in read_forms(self._page))

    def _asks_for_code(self) -> bool:
        return any(form.field("code") for form in read_forms(self._page))

    def _form_with(self, name: str | None = None) -> Form:
        for form in read_forms(self._page):
            if form.method == "post" and (name is None or form.field(name)):
                return form
        raise _unexpected(f"a page has no form with {name or 'anything'} to send")

    def _form_doing(self, action: str) -> Form:
        for form in read_forms(self._page):
            if _does(form, action):
                return form
        raise _unexpected(f"the page does not offer to {action}")

    async def _get(self, url: str) -> None:
        self._keep(await self._browser.get(url))

    async def _post(self, form: Form, answers: Mapping[str, str]) -> None:
        target = urljoin(self._url, form.action) if form.action else self._url
        self._keep(await self._browser.post(target, data=form.filled(**answers)))

    def _keep(self, response: httpx.Response) -> None:
        if response.status_code >= 400:
            raise _unexpected(f"a page answered {response.status_code}")
        self._page, self._url = response.text, str(response.url)


async def link_from(mailbox: Mailbox, after: int) -> str:
    """The link in the first letter after the first `after` ones that has one."""
    letter = await mailbox.wait_for(lambda each: link_in(each) is not None, after)
    return link_in(letter) or ""


def _does(form: Form, action: str) -> bool:
    field = form.field("do")
    return field is not None and field.value == action


def _takes(form: Form, name: str, value: str) -> bool:
    field = form.field(name)
    return field is not None and (not field.choices or value in field.choices)


def _unexpected(what: str) -> SystemFault:
    return SystemFault(
        "demo.unexpected-page", what, fix="Run the demo again with --serve and look at the page."
    )
