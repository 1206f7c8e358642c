from __future__ import annotations

from email.message import EmailMessage

from adapter.cli.demonstration import messages
from adapter.cli.demonstration.emr import acknowledgement, field
from adapter.cli.demonstration.forms import read_forms
from adapter.cli.demonstration.mailbox import code_in, link_in
from adapter.cli.demonstration.record import references

PAGE = """
<form method="post" action="/do"><input type="hidden" name="csrf" value="a&amp;b">
<input type="radio" name="reason" value="full">
<input type="radio" name="reason" value="other" checked>
<select name="language"><option value="en">English<option value="fr" selected>fran\u00e7ais</select>
<textarea name="words">so far</textarea><input name="code" required>
<button name="go" value="1">Go</button></form>
<form action="/search"><input type="checkbox" name="all"></form>
"""

MESSAGE = (
    "MSH|^~\\&|EMR|CLINIC|||20260101||REF^I12^REF_I12|C1|T|2.5.1\rRF1|P|R||||REQ7^EMR\rPID|1\r"
)


def letter(text: str) -> EmailMessage:
    made = EmailMessage()
    made["Subject"] = "A referral is waiting (rx-12345678)"
    made.set_content(text)
    return made


def test_a_form_is_read_as_a_browser_would_send_it() -> None:
    first, second = read_forms(PAGE)
    assert (first.method, first.action) == ("post", "/do")
    assert first.filled(code="123456") == {
        "csrf": "a&b",
        "reason": "other",
        "language": "fr",
        "words": "so far",
        "code": "123456",
    }
    reason, code = first.field("reason"), first.field("code")
    assert reason is not None
    assert reason.choices == ("full", "other")
    assert code is not None
    assert code.required
    assert (second.method, second.filled()) == ("get", {})


def test_a_link_and_a_code_are_found_and_never_taken_for_each_other() -> None:
    first = letter(
        "See https://a.example/l/tok-123456789012.\nReply by 2026-12-06. Ref rx-12345678"
    )
    second = letter("Your code is:\n\n048213\n\nIt works for 10 minutes.")
    assert link_in(first) == "https://a.example/l/tok-123456789012"
    assert code_in(first) is None
    assert link_in(second) is None
    assert code_in(second) == "048213"


def test_a_renewed_message_is_another_referral_with_the_same_content() -> None:
    once, twice = messages.renewed(MESSAGE), messages.renewed(MESSAGE)
    assert messages.get(once, "MSH", 10) != messages.get(twice, "MSH", 10)
    assert messages.get(once, "RF1", 6) != messages.get(twice, "RF1", 6)
    assert messages.get(once, "RF1", 6).endswith("^EMR")
    assert [line[:3] for line in once.split("\r")] == [line[:3] for line in MESSAGE.split("\r")]


def test_a_cancellation_names_the_same_referral_in_a_new_message() -> None:
    sent = messages.renewed(MESSAGE)
    taken_back = messages.cancellation(sent)
    assert messages.get(taken_back, "MSH", 9) == "REF^I14^REF_I12"
    assert messages.get(taken_back, "RF1", 1) == "R"
    assert messages.get(taken_back, "RF1", 6) == messages.get(sent, "RF1", 6)
    assert messages.get(taken_back, "MSH", 10) != messages.get(sent, "MSH", 10)


def test_the_small_emr_acknowledges_with_the_control_id_that_it_got() -> None:
    answer = acknowledgement(MESSAGE).decode()
    assert field(answer, "MSA", 1) == "AA"
    assert field(answer, "MSA", 2) == "C1"
    assert field(answer, "MSH", 12) == "2.5.1"


def test_local_references_are_followed_and_others_are_not() -> None:
    resource = {
        "subject": {"reference": "Patient/p1"},
        "performer": [{"reference": "https://elsewhere.example/Organization/o"}],
        "contained": [{"basedOn": {"reference": "#x"}}],
    }
    assert list(references(resource)) == ["Patient/p1"]
