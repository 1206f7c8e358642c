"""Reads a page as a test needs it: its text, its forms, and whether its parts fit together."""

from __future__ import annotations

from html.parser import HTMLParser

VOID = {"meta", "input", "br", "link", "img", "hr"}


class HtmlPage(HTMLParser):
    """One parsed page."""

    def __init__(self) -> None:
        super().__init__()
        self.text = ""
        self.title = ""
        self.language = ""
        self.forms: list[dict[str, str]] = []
        self.ids: list[str] = []
        self.references: list[str] = []
        self.fields: list[tuple[str, str]] = []
        self.labels: set[str] = set()
        self.checked: set[tuple[str, str]] = set()
        self.values: dict[str, str] = {}
        self._open: list[str] = []
        self._area = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag not in VOID:
            self._open.append(tag)
        if tag == "html":
            self.language = values.get("lang", "")
        if "id" in values:
            self.ids.append(values["id"])
        for name in ("for", "aria-labelledby", "aria-describedby", "form"):
            self.references += values.get(name, "").split()
        if values.get("href", "").startswith("#"):
            self.references.append(values["href"][1:])
        if tag == "label":
            self.labels.add(values["for"])
        if tag == "form":
            self.forms.append({"id": values.get("id", "")})
        if tag == "textarea":
            self._area = values["id"]
        if tag in ("input", "textarea"):
            self._field(values)

    def _field(self, values: dict[str, str]) -> None:
        if values.get("type") == "hidden":
            if self.forms:
                self.forms[-1][values["name"]] = values.get("value", "")
            return
        self.fields.append((values["name"], values.get("id", "")))
        self.values[values.get("id", "")] = values.get("value", "")
        if "checked" in values:
            self.checked.add((values["name"], values.get("value", "")))

    def handle_endtag(self, tag: str) -> None:
        assert self._open, f"</{tag}> closes nothing"
        assert self._open[-1] == tag, f"</{tag}> closes <{self._open[-1]}>"
        self._open.pop()

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] == "textarea":
            self.values[self._area] += data.removeprefix("\n")
        elif self._open and self._open[-1] == "title":
            self.title += data
        elif "style" not in self._open:
            self.text += data

    @property
    def repeated_ids(self) -> list[str]:
        return sorted({each for each in self.ids if self.ids.count(each) > 1})

    @property
    def dangling(self) -> list[str]:
        return sorted(set(self.references) - set(self.ids))

    @property
    def unlabelled(self) -> list[str]:
        return [identity for _, identity in self.fields if identity not in self.labels]


def read(body: bytes) -> HtmlPage:
    """Parse a page; raises AssertionError if its tags do not nest."""
    page = HtmlPage()
    page.feed(body.decode())
    page.close()
    assert page._open == []
    return page
