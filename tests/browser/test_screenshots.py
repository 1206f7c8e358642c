"""`make screenshots` shows every page, and no page scrolls sideways on a small telephone."""

from __future__ import annotations

import pytest
from screenshots import take

pytestmark = pytest.mark.browser


def test_every_page_and_the_mail_fit_320_pixels_in_french(page, tmp_path):
    assert take(page, "fr", 320, tmp_path) == []
    assert len(list(tmp_path.glob("*-fr-320.png"))) == 11
