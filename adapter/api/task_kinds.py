"""What kind of Task a client writes: one that asks to fulfil a request, a patient's own, another.

A patient's (SDOH Clinical Care 3.0, Task for Patient) is no referral: a questionnaire to fill, a
call to make. It has a lifecycle of its own, and is owned by a Patient or a RelatedPerson.
"""

from __future__ import annotations

from typing import Any

from adapter.api.caller import Caller
from adapter.api.faults import refused
from adapter.referral.lifecycle import Lifecycle, lifecycle

Json = dict[str, Any]
FULFILL = "fulfill"
PATIENTS = ("Patient", "RelatedPerson")
PATIENT_TABLE = "sdohcc-patient"


def is_referral_task(task: Json) -> bool:
    """True for a Task that asks to fulfil a request; other Tasks are records with a lifecycle."""
    codes = {each.get("code") for each in task.get("code", {}).get("coding", ())}
    return FULFILL in codes or (not codes and "focus" in task)


def is_patients(task: Json) -> bool:
    """True for a Task that a patient, or whoever acts for the patient, is to do."""
    kind = task.get("owner", {}).get("reference", "").rpartition("/")[0].rpartition("/")[2]
    return kind in PATIENTS and not is_referral_task(task)


def table_of(caller: Caller, task: Json) -> Lifecycle:
    """The lifecycle that a stored Task follows, as it stands.

    A patient's in a status that its table does not have, stored before there was one, follows that
    of referrals on.
    """
    table = lifecycle(PATIENT_TABLE)
    own = is_patients(task) and task.get("status") not in table.not_used
    return table if own else caller.table


def check_patients(task: Json) -> None:
    """Refuse (409) a patient's new Task in a status that none is born with."""
    status, table = task.get("status", ""), lifecycle(PATIENT_TABLE)
    if is_patients(task) and status not in table.initial:
        text = f"a patient's new Task is {' or '.join(sorted(table.initial))}, not {status}"
        raise refused(409, text, "Task.status", rule="lifecycle.initial")
