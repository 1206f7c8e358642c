"""A Narrative's div: is it XHTML that R4 lets through, and nothing that runs.

R4 (https://hl7.org/fhir/R4/narrative.html, txt-1 and txt-2) allows basic formatting, tables, lists,
links and images, inside one `div` with some content, and no scripts, forms, events or frames. The
named characters of HTML, such as `&nbsp;`, are not among those of XML and so not allowed.
"""

from __future__ import annotations

import re
from html.entities import name2codepoint
from xml.parsers import expat

XHTML = "http://www.w3.org/1999/xhtml"
_WORD = re.compile(r"\w+")
_ELEMENTS = frozenset(
    _WORD.findall(
        "a abbr acronym address area b bdo big blockquote br caption cite code "
        "col colgroup dd del dfn div dl dt em h1 h2 h3 h4 h5 h6 hr i img ins kbd "
        "li map ol p pre q samp small span strong sub sup table tbody td tfoot th "
        "thead tr tt u ul var "
    )
)
_ATTRIBUTES = frozenset(
    _WORD.findall(
        "abbr accesskey align alt axis bgcolor border cellhalign cellpadding "
        "cellspacing cellvalign char charoff charset cite class colspan compact "
        "coords dir frame headers height href hreflang hspace id lang longdesc "
        "name nowrap rel rev rowspan rules scope shape span src start style "
        "summary tabindex title type valign value vspace width "
    )
)
_ENTITY = re.compile("&([A-Za-z][A-Za-z0-9]*);")
_XML_ENTITIES = frozenset({"amp", "lt", "gt", "quot", "apos"})


class _FaultError(Exception):
    """Stops the parser at the first fault."""


class _Reader:
    def __init__(self) -> None:
        self.depth = 0
        self.content = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        space, _, local = name.rpartition(" ")
        if space != XHTML or (self.depth == 0 and local != "div"):
            raise _FaultError(f"must be one div in the namespace {XHTML}")
        if local not in _ELEMENTS:
            raise _FaultError(
                "must hold only basic formatting elements, no scripts, forms or frames"
            )
        if local == "img":
            self.content = True
        for key, value in attributes.items():
            plain = key.rpartition(" ")[2]
            if plain not in _ATTRIBUTES or value.strip().lower().startswith("javascript:"):
                raise _FaultError("must hold no attributes that run or load code")
        self.depth += 1

    def end(self, _name: str) -> None:
        self.depth -= 1

    def text(self, data: str) -> None:
        self.content = self.content or bool(data.strip())


def without_names(div: str) -> str:
    """Return the text with HTML's named characters (`&nbsp;`) as XML's numbers (`&#160;`)."""

    def number(match: re.Match[str]) -> str:
        name = match.group(1)
        known = name not in _XML_ENTITIES and name in name2codepoint
        return f"&#{name2codepoint[name]};" if known else match.group()

    return _ENTITY.sub(number, div) if "&" in div else div


def narrative_fault(div: str) -> str | None:
    """Say what is wrong with a Narrative.div, or None. Time is linear in its length."""
    if "<!DOCTYPE" in div or "<!ENTITY" in div:
        return "must not declare a document type or entities"
    if "&" in div and not _XML_ENTITIES.issuperset(_ENTITY.findall(div)):
        return "must write characters as themselves or as numbers (&#160;), not as HTML's &nbsp;"
    reader = _Reader()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    try:
        parser.Parse(div, True)
    except _FaultError as fault:
        return str(fault)
    except (expat.ExpatError, UnicodeEncodeError):
        return "must be well-formed XHTML"
    return None if reader.content else "must hold some text or an image"
