"""The demonstration as a whole: its stage is set, the stories are played, the result is told."""

from __future__ import annotations

import asyncio
import contextlib
import shlex
import shutil
import time
from functools import partial
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from adapter.cli.demonstration import messages, record, stories
from adapter.cli.demonstration.child import Child
from adapter.cli.demonstration.mailbox import Mailbox, code_in
from adapter.cli.demonstration.narrator import Journey, Narrator, Step
from adapter.cli.demonstration.setting import SQLITE, Setting, prepare
from adapter.cli.printing import emit, program
from adapter.exchange import queries
from adapter.plugin.errors import PluginError
from adapter.store.store import Store

COLOURS = {"EMR": "cyan", "agency": "green"}


class Show:
    """One run of the demonstration."""

    def __init__(self, *, as_json: bool, db: str | None) -> None:
        self.as_json = as_json
        self.db = db
        self.console = Console(stderr=as_json, highlight=False, soft_wrap=True)
        self.started = time.monotonic()
        self.mailbox = Mailbox()

    async def run(self, *, serve: bool) -> None:
        """Play everything; with `serve`, stay until interrupted."""
        async with contextlib.AsyncExitStack() as stack:
            await self.mailbox.open()
            stack.push_async_callback(self.mailbox.close)
            setting = prepare(self.db, smtp_port=self.mailbox.port)
            stack.push(partial(self._tidy, setting))
            emr = await Child.start("small EMR", "adapter.cli.demonstration.emr", (), setting.log)
            stack.push_async_callback(emr.end)
            listening = await emr.wait(lambda event: event["event"] == "listening")
            setting.write(answers_port=listening["port"])
            service = await Child.start(
                "service", "adapter.cli.demonstration.tethered", setting.serve, setting.log
            )
            stack.push_async_callback(service.end)
            ready = await service.wait(lambda event: event["event"] == "ready")
            store = setting.open_store()
            stack.callback(store.close)
            await self._play(setting, emr, ready, store, serve=serve)

    def _tidy(self, setting: Setting, kind: type[BaseException] | None, *_: object) -> None:
        """A script has all of it as JSON: the folder goes. After a fault it stays, with its log."""
        ours = not (self.db or "").startswith(SQLITE)  # a file of one's own has one's own folder
        if self.as_json and ours and kind in (None, asyncio.CancelledError):
            shutil.rmtree(setting.folder, ignore_errors=True)

    async def _play(
        self, setting: Setting, emr: Child, ready: dict[str, Any], store: Store, *, serve: bool
    ) -> None:
        self._say(
            f"[bold]The adapter runs[/] (process {ready['pid']}), with a clinic and an agency."
        )
        with self._progress() as progress:
            bar = progress.add_task("the loop", total=len(stories.STORIES))
            narrator = Narrator(store, lambda _, step: self._step(progress, step))
            stage = stories.Stage(emr, _clinic(setting, ready), self.mailbox, narrator)
            following = asyncio.create_task(narrator.follow())
            try:
                journeys = []
                for number, story in enumerate(stories.STORIES, 1):
                    progress.update(bar, description=story.title)
                    progress.console.print(f"\n[bold]Referral {number}: {story.title}[/]")
                    journeys.append(await self._tell(story, stage))
                    progress.advance(bar)
                if serve:
                    progress.console.print("\n[bold]One more: left open, for you to answer[/]")
                link = await self._left_open(stage) if serve else None
            finally:
                following.cancel()
        documents = [await self._document(each, store, ready["fhir"]) for each in journeys]
        if serve:
            await self._stay(setting, ready, link or "")
        else:
            self._finish(setting, documents)

    async def _tell(self, story: stories.Story, stage: stories.Stage) -> Journey:
        since = len(stage.emr.events)
        journey = Journey(story.name, story.title, since)
        stage.narrator.begin(journey)
        await story.play(stage, journey, messages.renewed(messages.shipped(story.message)))
        await stage.narrator.settled(journey.referral)
        journey.emr_received = [
            each["message"] for each in stage.emr.events[since:] if each["event"] == "received"
        ]
        return journey

    async def _left_open(self, stage: stories.Stage) -> str:
        stage.narrator.begin(Journey("waiting", "waiting for you"))
        message = messages.renewed(messages.shipped(stories.STORIES[0].message))
        return await stories.waiting(stage, message)

    async def _document(self, journey: Journey, store: Store, fhir: str) -> dict[str, Any]:
        found = await store.read(lambda tx: queries.journey(tx, journey.referral)) or {}
        return {
            "referral": journey.referral,
            "story": journey.story,
            "status": found.get("status"),
            "fulfilments": [
                {name: each[name] for name in ("status", "business_status", "reason")}
                for each in found.get("fulfilments", ())
            ],
            "steps": journey.documents(),
            "bundle": await record.fetch(fhir, journey.referral),
            "emr_received": journey.emr_received,
        }

    def _finish(self, setting: Setting, documents: list[dict[str, Any]]) -> None:
        seconds = round(time.monotonic() - self.started, 1)
        if self.as_json:
            self._say(f"\n[bold]Done in {seconds} s.[/]")
            emit({"journeys": documents, "seconds": seconds})
            return
        config = shlex.quote(str(setting.config))
        self._say(f"\n[bold]Done in {seconds} s.[/] Where to look:")
        for each in documents:
            back = len(each["emr_received"])
            self._say(
                f"  {each['story']:<10} {len(each['bundle']['entry'])} FHIR resources, "
                f"{back} message{'' if back == 1 else 's'} back: "
                f"{program()} referrals show {each['referral'][:8]} --config {config}"
            )
        self._say(f"  all that was delivered: {program()} deliveries list --config {config}")
        self._say(f"  the service's log: {setting.log}")
        self._say(f"  everything is in {setting.folder}; delete it when you are done")
        self._say(f"  look around while it runs: {program()} demo --serve")

    async def _stay(self, setting: Setting, ready: dict[str, Any], link: str) -> None:
        self._say("\n[bold]It keeps running; stop it with Ctrl-C.[/]")
        self._say(f"  FHIR API       {ready['fhir']}/Task")
        self._say(f"  MLLP (clinic)  {ready['listeners']['clinic']}")
        self._say(f"  agency's link  {link}")
        config = shlex.quote(str(setting.config))
        self._say(f"  commands       {program()} referrals list --config {config}")
        self._say("The codes that the agency gets by e-mail are shown here.")
        if self.as_json:
            emit({**ready, "link": link, "config": str(setting.config)})
        seen = len(self.mailbox.letters)
        while True:
            letter = await self.mailbox.wait_for(lambda _: True, seen, patience=86400)
            seen += 1
            code = code_in(letter)
            self._say(f"e-mail to the agency: {letter['Subject']}" + (f": {code}" if code else ""))

    def _progress(self) -> Progress:
        return Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            TimeElapsedColumn(),
            console=self.console,
            transient=True,
            disable=not self.console.is_terminal,
        )

    def _step(self, progress: Progress, step: Step) -> None:
        actor = step.actor if step.actor in COLOURS else "adapter"
        colour = COLOURS.get(actor, "dim")
        progress.console.print(f"  {step.at[11:23]}  [{colour}]{actor:<8}[/] {step.what}")

    def _say(self, text: str) -> None:
        self.console.print(text)


def _clinic(setting: Setting, ready: dict[str, Any]) -> str:
    """Where the clinic's EMR sends to."""
    found: str | None = ready["listeners"].get("clinic")
    if found is None:
        raise PluginError(
            "demo.not-listening",
            "the site clinic did not open, so the EMR has nowhere to send to",
            fix=f"See {setting.log}, and: adapter sites list --config {setting.config}",
        )
    return found
