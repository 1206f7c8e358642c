"""The forms of a web page, read as a browser without JavaScript would read them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from html.parser import HTMLParser


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One control: its choices, if it has any, and the value that is sent if nobody changes it.

    `kind` is the input's type, or ``select``, ``textarea``, ``button``. A radio group is one field.
    """

    name: str
    kind: str
    value: str | None = None
    choices: tuple[str, ...] = ()
    required: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """One form: where it goes, and what it asks."""

    action: str
    method: str
    fields: tuple[Field, ...] = ()

    def field(self, name: str) -> Field | None:
        """The field of this name."""
        return next((each for each in self.fields if each.name == name), None)

    def filled(self, **answers: str) -> dict[str, str]:
        """What a browser would send, with these answers; buttons are sent only if answered."""
        sent = {
            each.name: each.value
            for each in self.fields
            if each.value is not None and each.kind != "button"
        }
        return {**sent, **answers}

    def offers(self, value: str) -> Field | None:
        """The field that can be answered with this value."""
        return next(
            (each for each in self.fields if value in each.choices or each.value == value), None
        )


@dataclass(slots=True)
class _Open:
    """What is being read."""

    form: Form | None = None
    select: Field | None = None
    area: Field | None = None
    option: bool = False
    found: list[Form] = field(default_factory=list)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.state = _Open()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.state.form = Form(
                action=given.get("action", ""), method=given.get("method", "get").lower()
            )
        elif self.state.form is None:
            return
        elif tag == "input":
            self._input(given)
        elif tag == "button" and given.get("name"):
            self._add(Field(name=given["name"], kind="button", value=given.get("value", "")))
        elif tag == "select":
            self.state.select = Field(
                name=given.get("name", ""), kind="select", required="required" in given
            )
        elif tag == "option" and self.state.select:
            self._option(given)
        elif tag == "textarea":
            self.state.area = Field(
                name=given.get("name", ""),
                kind="textarea",
                value="",
                required="required" in given,
            )

    def handle_data(self, data: str) -> None:
        if self.state.area:
            self.state.area = replace(self.state.area, value=(self.state.area.value or "") + data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "form" and self.state.form:
            self.state.found.append(self.state.form)
            self.state.form = None
        elif tag == "select" and self.state.select:
            chosen = self.state.select
            if chosen.value is None and chosen.choices:
                chosen = replace(chosen, value=chosen.choices[0])
            self._add(chosen)
            self.state.select = None
        elif tag == "textarea" and self.state.area:
            self._add(self.state.area)
            self.state.area = None

    def _option(self, given: dict[str, str]) -> None:
        select = self.state.select
        assert select is not None
        value = given.get("value", "")
        self.state.select = replace(
            select,
            choices=(*select.choices, value),
            value=value if "selected" in given else select.value,
        )

    def _input(self, given: dict[str, str]) -> None:
        kind, name = given.get("type", "text"), given.get("name", "")
        if not name:
            return
        if kind in ("submit", "image"):
            self._add(Field(name=name, kind="button", value=given.get("value", "")))
        elif kind in ("radio", "checkbox"):
            self._choice(kind, name, given)
        else:
            self._add(
                Field(
                    name=name, kind=kind, value=given.get("value", ""), required="required" in given
                )
            )

    def _choice(self, kind: str, name: str, given: dict[str, str]) -> None:
        form = self.state.form
        assert form is not None
        value = given.get("value", "on")
        before = form.field(name)
        group = before or Field(name=name, kind=kind)
        group = replace(
            group,
            choices=(*group.choices, value),
            value=value if "checked" in given else group.value,
            required=group.required or "required" in given,
        )
        if before is None:
            self._add(group)
        else:
            fields = tuple(group if each is before else each for each in form.fields)
            self.state.form = replace(form, fields=fields)

    def _add(self, one: Field) -> None:
        if self.state.form and one.name:
            self.state.form = replace(self.state.form, fields=(*self.state.form.fields, one))


def read_forms(html: str) -> tuple[Form, ...]:
    """All forms of a page, in order."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return tuple(reader.state.found)
