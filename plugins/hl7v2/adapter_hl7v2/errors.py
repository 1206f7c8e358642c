"""What can be wrong with the bytes of a message, before anybody asks what it means.

Every `ReadError` has a word code, a sentence for the operator, a fix, and the code of HL7 table
0357 that the acknowledgement carries. None of them ever holds a value of the message.
"""

from __future__ import annotations

from adapter.plugin import DataError


class ReadError(DataError):
    """These bytes cannot be read as one HL7 v2 message.

    Attributes:
        condition: the code of HL7 table 0357 for ERR-3 (or ERR-1 before version 2.5).
        location: the segment and field that are wrong, for example ``MSH-18``, or empty.
    """

    def __init__(
        self, code: str, message: str, *, fix: str = "", condition: str = "100", location: str = ""
    ) -> None:
        super().__init__(f"hl7v2.{code}", message, fix=fix)
        self.condition = condition
        self.location = location


class WriteError(DataError):
    """A message cannot be written as asked: a place that does not exist, or a character that the
    charset of the message has not.
    """

    def __init__(self, code: str, message: str, *, fix: str = "") -> None:
        super().__init__(f"hl7v2.{code}", message, fix=fix)
