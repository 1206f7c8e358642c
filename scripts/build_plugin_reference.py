"""Write docs/reference/{hooks,capabilities,requirements,fakes,plugins/*}.md from their subjects.

    python scripts/build_plugin_reference.py

A test fails when a page is behind the program.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator
from functools import partial
from itertools import groupby
from pathlib import Path

from fake_pages import fakes_page
from plugin_pages import SHIPPED, plugin_page

from adapter.exchange.abilities import ABILITIES
from adapter.plugin import Acted, Capacity, Context, ListedProgram, Move, PostedForm, hookspecs
from adapter.plugin.capabilities import Capabilities, Support
from adapter_conformance import profile
from adapter_conformance.endpoint.catalogue import endpoint_requirements
from adapter_conformance.requirement import Requirement, requirements

REFERENCE = Path(__file__).resolve().parent.parent / "docs" / "reference"
NOTE = "<!-- Written by scripts/build_plugin_reference.py from the program. -->"


def hooks() -> Iterator[str]:
    yield from (NOTE, "", "# Hooks", "", inspect.cleandoc(hookspecs.__doc__ or ""), "")
    yield f"The plugin API of this adapter is {hookspecs.API_VERSION}."
    for name, function in vars(hookspecs).items():
        if name.startswith("register_") or name == "resolve_secret":
            signature = str(inspect.signature(function)).replace("'", "")
            text = inspect.cleandoc(function.__doc__ or "")
            head, _, example = text.partition("Example::\n")
            yield from ("", f"## `{name}{signature}`", "", head.strip(), "", "```python")
            yield from (inspect.cleandoc(example), "```")


def capabilities() -> Iterator[str]:
    yield from (NOTE, "", "# Capabilities", "", inspect.cleandoc(Capabilities.__doc__ or ""), "")
    yield from ("## Support", "", inspect.cleandoc(Support.__doc__ or ""), "")
    yield "An ability that is declared must be implemented, and the other way round."
    for name, protocol in ABILITIES.items():
        yield from ("", f"## `{name}`", "", inspect.cleandoc(protocol.__doc__ or ""), "")
        members = [
            (member, function)
            for member, function in vars(protocol).items()
            if inspect.isfunction(function) and not member.startswith("_")
        ]
        for member, function in members:
            signature = str(inspect.signature(function)).replace("'", "")
            yield from ("```python", f"{member}{signature}", "```", "")
            yield inspect.cleandoc(function.__doc__ or "")
    yield from terms()


def terms() -> Iterator[str]:
    """What the abilities of the directory side yield, and what `Context.act` takes and gives."""
    for kind in (ListedProgram, Capacity, Move, PostedForm, Acted):
        yield from ("", f"## `{kind.__name__}`", "", inspect.cleandoc(kind.__doc__ or ""))
    yield from ("", "## `Context.act`", "", inspect.cleandoc(Context.act.__doc__ or ""))


def requirement_page() -> Iterator[str]:
    found = requirements()
    yield from (NOTE, "", "# Requirements of the conformance kit", "")
    yield f"There are {len(found)}. Results: pass, fail, not-supported (declared, or the peer"
    yield "cannot do it), waived (with a reason), not-run (with a reason). A level is reached when"
    yield "each of its requirements, and of those below, passes or is not-supported. Waivers do not"
    yield "count."
    yield from ("", "## conformance.toml", "", inspect.cleandoc(profile.__doc__ or ""))
    yield from groups(found, "##")
    asked = endpoint_requirements()
    yield from ("", "## An endpoint", "")
    yield f"`adapter conform --endpoint URL --role ROLE` asks {len(asked)} other requirements of a"
    yield "FHIR server that carries referral Tasks, all roles the same where none is named:"
    yield "[how to check one](../how-to/check-a-fhir-endpoint.md)."
    yield from groups(asked, "###")


def groups(found: tuple[Requirement, ...], head: str) -> Iterator[str]:
    for group, rows in groupby(found, key=lambda each: each.group):
        yield from ("", f"{head} {group}")
        for each in rows:
            needs = f" Needs {', '.join(f'`{need}`' for need in each.needs)}." if each.needs else ""
            roles = f" Only as {' or '.join(each.roles)}." if each.roles else ""
            yield from (
                "",
                f"{head}# `{each.id}`",
                "",
                f"{each.title}. {each.why} ({each.level}.){needs}{roles}",
            )


def noted(name: str) -> Iterator[str]:
    yield from (NOTE, "", *plugin_page(name))


def noted_fakes() -> Iterator[str]:
    yield from (NOTE, "", *fakes_page())


PAGES: dict[str, Callable[[], Iterator[str]]] = {
    "hooks.md": hooks,
    "capabilities.md": capabilities,
    "requirements.md": requirement_page,
    "fakes.md": noted_fakes,
    **{f"plugins/{name}.md": partial(noted, name) for name in SHIPPED},
}


def page(name: str) -> str:
    return "\n".join(PAGES[name]()).rstrip() + "\n"


def main() -> int:
    (REFERENCE / "plugins").mkdir(exist_ok=True)
    for name in PAGES:
        (REFERENCE / name).write_text(page(name), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
