"""When a person is asked which questionnaires, counted from the day of the referral.

A schedule is a file (`adapter_mappings/instruments/schedule.toml`, or a site's own of the same
shape): points in months, each with a window and the instruments that are asked. It is refused when
a point asks more than ten questions or two windows meet. A person may skip any: an unanswered item,
or a whole questionnaire by a QuestionnaireResponse with status ``stopped``.
"""

from __future__ import annotations

import tomllib
from calendar import monthrange
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from importlib import resources
from itertools import pairwise
from typing import Any, Literal

from adapter.fhir.instruments import instrument, instruments
from adapter.fhir.questionnaire_form import read_form

MOST_QUESTIONS = 10
"""A person is asked no more than this at one point."""
State = Literal["later", "due", "answered", "skipped", "missed"]
_ANSWERED = frozenset({"completed", "amended"})


class ScheduleError(ValueError):
    """A schedule that cannot be used; the message says where and what to change."""


@dataclass(frozen=True, slots=True)
class Point:
    """One time of asking: `month` after the start, open from `opens` days before that day to
    `closes` days after it."""

    month: int
    opens: int
    closes: int
    instruments: tuple[str, ...]

    def day(self, start: date) -> date:
        """The day itself; a month without that day ends earlier."""
        years, month = divmod(start.month - 1 + self.month, 12)
        year = start.year + years
        return date(year, month + 1, min(start.day, monthrange(year, month + 1)[1]))

    def window(self, start: date) -> tuple[date, date]:
        """The first and the last day of asking."""
        day = self.day(start)
        return day - timedelta(days=self.opens), day + timedelta(days=self.closes)


@dataclass(frozen=True, slots=True)
class Schedule:
    """A named list of points, in order of time."""

    name: str
    version: str
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What is known of one response: its questionnaire's canonical, its day, its status."""

    questionnaire: str
    day: date
    status: str


@dataclass(frozen=True, slots=True)
class Asking:
    """One questionnaire at one point, and how it stands: ``later`` (its window is not open yet),
    ``due``, ``answered``, ``skipped``, or ``missed`` (its window closed)."""

    instrument: str
    month: int
    opens: date
    closes: date
    state: State


def plan(schedule: Schedule, start: date, today: date, answers: Iterable[Answer]) -> list[Asking]:
    """Return every asking of a person, in order of time, as it stands today.

    `start` is the day of the referral. An answer counts for the point in whose window its day is.
    """
    given = list(answers)
    return [
        _asking(point, name, start, today, given)
        for point in schedule.points
        for name in point.instruments
    ]


def _asking(point: Point, name: str, start: date, today: date, answers: list[Answer]) -> Asking:
    opens, closes = point.window(start)
    url = _url(name)
    found = {
        each.status
        for each in answers
        if each.questionnaire.partition("|")[0] == url and opens <= each.day <= closes
    }
    state: State = "due" if opens <= today <= closes else "later" if today < opens else "missed"
    if found & _ANSWERED:
        state = "answered"
    elif "stopped" in found:
        state = "skipped"
    return Asking(name, point.month, opens, closes, state)


@cache
def _url(name: str) -> str:
    return str(instrument(name)["url"])


@cache
def standard() -> Schedule:
    """Return the schedule that ships: 0, 3, 6 and 12 months."""
    file = resources.files("adapter_mappings") / "instruments" / "schedule.toml"
    return read_schedule(file.read_text("utf-8"), "schedule.toml")


def read_schedule(text: str, file: str) -> Schedule:
    """Return the schedule of a file's text.

    Raises:
        ScheduleError: it is not in this shape, names an instrument that does not ship, asks too
            much at once, or two windows meet. The message names the file, the point and the fix.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ScheduleError(f"{file}: {error}") from None
    about = data.get("schedule")
    if not isinstance(about, dict) or not data.get("point"):
        raise ScheduleError(f"{file}: write a table [schedule], and [[point]] for each time")
    points = tuple(sorted(_points(data["point"], file), key=lambda each: each.month))
    for earlier, later in pairwise(points):
        if _meet(earlier, later):
            raise ScheduleError(
                f"{file}: the windows of months {earlier.month} and {later.month} meet; "
                "make closes or opens smaller"
            )
    return Schedule(str(about.get("name", file)), str(about.get("version", "")), points)


def _points(rows: list[Any], file: str) -> Iterator[Point]:
    for number, row in enumerate(rows, 1):
        where = f"{file}: point {number}"
        month, opens, closes = (row.get(name) for name in ("month", "opens", "closes"))
        if not all(type(each) is int and each >= 0 for each in (month, opens, closes)):
            raise ScheduleError(f"{where}: month, opens and closes are whole numbers from 0")
        names = tuple(row.get("instruments", ()))
        for name in names:
            if name not in instruments():
                known = ", ".join(instruments())
                raise ScheduleError(f"{where}: no instrument {name}; there are {known}")
        asked = sum(len(_questions(name)) for name in names)
        if not 0 < asked <= MOST_QUESTIONS:
            raise ScheduleError(
                f"{where}: it asks {asked} questions; ask at least 1 and at most {MOST_QUESTIONS}"
            )
        yield Point(month, opens, closes, names)


def _questions(name: str) -> list[Any]:
    return [
        each
        for each in read_form(instrument(name)).questions.values()
        if each.definition["type"] not in ("group", "display")
    ]


def _meet(earlier: Point, later: Point) -> bool:
    # The shortest months: from 1 February on, in a year of 365 days.
    start = date(2023, 2, 1)
    return earlier.window(start)[1] >= later.window(start)[0]
