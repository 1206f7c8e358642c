"""The functions of a class are made at its first use, which may be in many threads at once."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys, threading
sys.setswitchinterval(1e-6)
from adapter.referral.document import from_document, to_document
from adapter.referral.model import Referral
document = {"id": "r", "subject": {"name": {"family": "Synthetic"}}, "needs": [{}]}
start, wrong = threading.Barrier(16), []
def read():
    start.wait()
    try:
        to_document(from_document(Referral, document))
    except NameError as error:
        wrong.append(error)
threads = [threading.Thread(target=read) for _ in range(16)]
[each.start() for each in threads]
[each.join() for each in threads]
sys.exit(len(wrong))
"""


def test_the_first_use_may_be_in_many_threads() -> None:
    ended = subprocess.run([sys.executable, "-c", PROGRAM], check=False, capture_output=True)
    assert ended.returncode == 0, ended.stderr
