"""`adapter referrals due` and `script`: who is to be asked how they are, and with which words."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from adapter.cli.printing import JsonOption, emit, table
from adapter.cli.reading import ask
from adapter.cli.settings import DEFAULT, ConfigOption, read

if TYPE_CHECKING:
    from adapter.fhir.schedule import Schedule

DayOption = Annotated[
    str | None, typer.Option("--on", metavar="DATE", help="As of this day (YYYY-MM-DD), not today.")
]
ScheduleOption = Annotated[
    Path | None,
    typer.Option("--schedule", metavar="FILE", help="A schedule of your own instead of ours."),
]


def due(
    config: ConfigOption = DEFAULT,
    on: DayOption = None,
    schedule: ScheduleOption = None,
    every: Annotated[
        bool, typer.Option("--all", help="Also what is answered, skipped, missed or later.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """List the questionnaires that people are to be asked now.

    Asked at 0, 3, 6 and 12 months after the referral, at most ten questions at a time. A person may
    skip any question, and any questionnaire: a response with status "stopped" says so.

    Exit code 3: the schedule of --schedule cannot be used.

    Example:

      adapter referrals due --on 2026-03-31
    """
    from adapter.exchange.follow_up import follow_up

    wanted, today = _schedule(schedule), _day(on)
    found = ask(read(config), lambda tx: follow_up(tx, wanted, today, every=every))
    if as_json:
        emit(found)
        return
    table(
        ("referral", "month", "instrument", "state", "until"),
        [
            {**asking, "referral": each["referral"], "until": asking["closes"]}
            for each in found
            for asking in each["asking"]
        ],
        empty="Nobody is to be asked anything.",
    )


def script(
    identity: Annotated[
        str, typer.Argument(metavar="ID", help="The referral's id, or how it begins.")
    ],
    config: ConfigOption = DEFAULT,
    language: Annotated[
        str | None,
        typer.Option("--language", metavar="L", help="en or fr; else the person's own."),
    ] = None,
    on: DayOption = None,
    schedule: ScheduleOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print what is due for one referral as text to read out on the telephone.

    Exit code 1: there is no such referral, or nothing is due.

    Example:

      adapter referrals script 0194a1 --language fr
    """
    from adapter.exchange.follow_up import follow_up
    from adapter.fhir.instruments import instrument
    from adapter.fhir.phone_script import NoWordsError, phone_script
    from adapter.plugin.errors import DataError

    wanted, today = _schedule(schedule), _day(on)
    found = ask(read(config), lambda tx: follow_up(tx, wanted, today))
    rows = [each for each in found if str(each["referral"]).startswith(identity)]
    if len(rows) != 1 or len(identity) < 4:
        raise DataError(
            "referral.nothing-due",
            "nothing is due for a referral that begins like this, or there are several",
            fix="See what is due with: adapter referrals due",
        )
    names = [asking["instrument"] for asking in rows[0]["asking"]]
    spoken = language or rows[0]["language"]
    try:
        text = phone_script([instrument(name) for name in names], spoken)
    except NoWordsError as error:
        raise DataError(
            "referral.no-words", str(error), fix="Ask it with the copy that your licence allows."
        ) from None
    if as_json:
        emit(
            {
                "referral": rows[0]["referral"],
                "language": spoken,
                "instruments": names,
                "text": text,
            }
        )
        return
    typer.echo(text, nl=False)


def _day(given: str | None) -> date:
    from datetime import UTC, datetime

    if given is None:
        return datetime.now(UTC).date()
    try:
        return date.fromisoformat(given)
    except ValueError:
        raise typer.BadParameter("--on is a day such as 2026-03-01") from None


def _schedule(file: Path | None) -> Schedule:
    from adapter.fhir.schedule import ScheduleError, read_schedule, standard
    from adapter.plugin.errors import ConfigError

    if file is None:
        return standard()
    try:
        return read_schedule(file.read_text("utf-8"), str(file))
    except OSError as error:
        raise typer.BadParameter(f"--schedule {file}: {error.strerror}") from None
    except (ScheduleError, UnicodeDecodeError) as error:
        raise ConfigError(
            "schedule.not-usable",
            f"the schedule cannot be used: {error}",
            fix="Correct the file; its shape is in docs/reference/instruments.md.",
        ) from None


def register(app: typer.Typer) -> None:
    """Add both commands to `adapter referrals`."""
    app.command()(due)
    app.command()(script)
