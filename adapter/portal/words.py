"""Text, plurals, dates and times in the reader's language, in plain words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from functools import cache
from gettext import GNUTranslations

from babel import Locale
from babel.dates import format_date, format_time

from adapter.portal.catalogue import known, translations

_REGIONS = {"en": "en_CA", "fr": "fr_CA"}
_PARTIAL = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?")


@dataclass(frozen=True, slots=True)
class Words:
    """One language: its catalogue and its way to write dates."""

    language: str
    locale: Locale
    catalogue: GNUTranslations

    def say(self, text: str, **values: object) -> str:
        """A string of the catalogue, with named values put in."""
        found = self.catalogue.gettext(text)
        return found % values if values else found

    def count(self, one: str, many: str, number: int) -> str:
        """A string of the catalogue in the plural form for `number`, shown as ``%(num)s``."""
        return self.catalogue.ngettext(one, many, number) % {"num": number}

    def day(self, value: date | str) -> str:
        """A date in words, as precise as it was given: day, month or year (FHIR R4 date)."""
        if isinstance(value, date):
            return self._first(format_date(value, "full", locale=self.locale))
        match = _PARTIAL.match(value)
        if not match:
            return value
        year, month, day = match.groups()
        try:
            whole = date(int(year), int(month or 1), int(day or 1))
        except ValueError:
            return value
        if day:
            return self._first(format_date(whole, "long", locale=self.locale))
        return format_date(whole, "LLLL y", locale=self.locale) if month else year

    def moment(self, value: datetime | str, zone: tzinfo | None = None) -> str:
        """A date and, if one was given, the time of day; in `zone` if the offset is known."""
        if isinstance(value, str):
            if "T" not in value:
                return self.day(value)
            try:
                value = datetime.fromisoformat(value)
            except ValueError:
                return str(value)
        if zone is not None and value.tzinfo is not None:
            value = value.astimezone(zone)
        time = format_time(value, "short", locale=self.locale)
        return self.say(
            "%(day)s at %(time)s",
            day=self._first(format_date(value, "long", locale=self.locale)),
            time=time,
        )

    def _first(self, text: str) -> str:
        """French says "1er" for the first of a month; CLDR's patterns do not."""
        return re.sub(r"(?<!\d)1 (?=[^\W\d])", "1er ", text) if self.language == "fr" else text

    def left(self, until: datetime, now: datetime) -> str:
        """How long there is until a time, or how late it is, in whole calendar days."""
        days = (until.date() - now.astimezone(until.tzinfo).date()).days
        if days == 0:
            return self.say("today")
        if days == 1:
            return self.say("tomorrow")
        if days > 1:
            return self.count("in %(num)s day", "in %(num)s days", days)
        return self.count("%(num)s day late", "%(num)s days late", -days)

    def ago(self, since: datetime, now: datetime) -> str:
        """How long ago something was, in whole calendar days."""
        days = (now.astimezone(since.tzinfo).date() - since.date()).days
        if days <= 0:
            return self.say("today")
        if days == 1:
            return self.say("yesterday")
        return self.count("%(num)s day ago", "%(num)s days ago", days)

    def age(self, born: str, now: datetime) -> str | None:
        """Age in whole years, if the date of birth is known to the day."""
        try:
            birth = date.fromisoformat(born)
        except ValueError:
            return None
        years = now.year - birth.year - ((now.month, now.day) < (birth.month, birth.day))
        return self.count("%(num)s year old", "%(num)s years old", years) if years >= 0 else None

    def tongue(self, code: str) -> str:
        """A language by its name in the reader's language; the code if it has none."""
        name: str | None = self.locale.languages.get(code.replace("-", "_"))
        name = name or self.locale.languages.get(code.split("-")[0].lower())
        return name[:1].upper() + name[1:] if name else code


@cache
def words(language: str) -> Words:
    """The words of a language; English for one that has no catalogue."""
    short = known(language)
    return Words(short, Locale.parse(_REGIONS[short]), translations(short))
