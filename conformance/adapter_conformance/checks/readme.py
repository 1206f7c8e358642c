"""Documentation: what the README of the distribution must say."""

from __future__ import annotations

import re

from adapter_conformance.requirement import Failed, check
from adapter_conformance.subject import Subject

SECTIONS = {
    "install": r"install",
    "configure": r"configur|settings",
    "check": r"check|verif|test",
    "remove": r"remov|uninstall",
}


@check("docs.readme")
async def readme(subject: Subject) -> None:
    """Four headings, and the name of every setting."""
    headings = " ".join(re.findall(r"^#+ (.+)$", subject.readme, re.MULTILINE)).lower()
    lacking = [name for name, words in SECTIONS.items() if not re.search(words, headings)]
    if lacking:
        raise Failed(f"the README has no heading about: {', '.join(lacking)}")
    fields = subject.system.Config.model_fields if subject.system else {}
    silent = [name for name in fields if f"`{name}`" not in subject.readme]
    if silent:
        raise Failed(f"the README does not name the settings: {', '.join(silent)}")
