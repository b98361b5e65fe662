"""The terminal interface. The card runs in a thread of its own; what it tells comes here, and what its owner does goes there."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual import events
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.reactive import reactive
from textual.widgets import Footer, RichLog, Static

from voicecard.desk.glass import WIDTH, half_blocks, quadrants
from voicecard.device.client import CardLink
from voicecard.device.emulate import EmulateOptions, emulate
from voicecard.device.emulation_report import Notice
from voicecard.device.hands import Hands
from voicecard.errors import VoicecardError

TAP_S = 0.08
FULL_MV, EMPTY_MV, STEP_MV = 4200, 3300, 50
STORAGE_STEP_PERCENT = 10
_FRAME_COLUMNS = 4  # of the glass, with its padding
_SIDE_COLUMNS = 34  # beside it
_MICROPHONES = ("sound", "zeros", "full")


class Glass(Static):
    """The OLED."""

    pixels: reactive[bytes] = reactive(b"")
    is_wide: reactive[bool] = reactive(False)

    def watch_is_wide(self, is_wide: bool) -> None:
        self.styles.width = (WIDTH if is_wide else WIDTH // 2) + _FRAME_COLUMNS

    def render(self) -> Text:
        lines = half_blocks(self.pixels) if self.is_wide else quadrants(self.pixels)
        return Text("\n".join(lines), no_wrap=True)


class Key(Static):
    """A key of the card: down as long as the mouse holds it, or as Desk says."""

    is_down: reactive[bool] = reactive(False)

    def __init__(self, name: str, hands: Hands) -> None:
        super().__init__(name.upper(), id=name)
        self._key = name
        self._hands = hands

    def watch_is_down(self, is_down: bool) -> None:
        self.set_class(is_down, "down")
        if self.is_mounted:
            (self._hands.press if is_down else self._hands.release)(self._key)

    def on_mouse_down(self, event: events.MouseDown) -> None:
        self.capture_mouse()
        self.is_down = True

    def on_mouse_up(self, event: events.MouseUp) -> None:
        self.release_mouse()
        self.is_down = False


class Desk(App[None]):
    """`options`: what card, and what it hears; its hands are the ones given here."""

    TITLE = "voicecard"
    ENABLE_COMMAND_PALETTE = False
    CSS = """
    Screen { layout: vertical; }
    #top { height: auto; }
    Glass {
        height: 34; padding: 0 1;
        border: round $secondary; color: #bae2ff; background: #04060a;
    }
    #side { width: 1fr; min-width: 30; height: auto; padding: 0 1; }
    Key { width: 12; height: 3; content-align: center middle; border: round $primary; margin-right: 1; }
    Key.down { background: $primary; text-style: bold; }
    #keys { height: 3; }
    #about { height: auto; margin-top: 1; }
    RichLog { height: 1fr; border: round $secondary; padding: 0 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        ("r", "tap('rec')", "rec"),
        ("R", "hold('rec')", "hold rec"),
        ("m", "tap('memo')", "memo"),
        ("M", "hold('memo')", "hold memo"),
        ("c", "cable", "cable"),
        Binding("b", f"charge(-{STEP_MV})", "less battery", show=False),
        Binding("B", f"charge({STEP_MV})", "battery", key_display="b B"),
        Binding("s", f"fill(-{STORAGE_STEP_PERCENT})", "less storage", show=False),
        Binding("S", f"fill({STORAGE_STEP_PERCENT})", "storage", key_display="s S"),
        ("w", "microphone", "mic's wire"),
        ("l", "log", "card's log"),
        ("x", "power", "power"),
        ("q", "quit", "quit"),
    ]

    def __init__(self, options: EmulateOptions, hands: Hands) -> None:
        super().__init__()
        self._options = replace(options, hands=hands)
        self._hands = hands
        self._stop = threading.Event()
        self._port: Path | None = None
        self._lit = False
        self._battery_mv = options.battery_millivolts
        self._storage_percent = self._started_percent = 0
        self._microphone = 0
        self._runs = False
        self.failure: VoicecardError | None = None

    def compose(self) -> ComposeResult:
        with Horizontal(id="top"):
            yield Glass()
            with Vertical(id="side"):
                with Horizontal(id="keys"):
                    yield Key("rec", self._hands)
                    yield Key("memo", self._hands)
                yield Static(id="about")
        yield RichLog(wrap=True, markup=False)
        yield Footer()

    def on_mount(self) -> None:
        log = self.query_one(RichLog)
        log.border_title = "what happens"
        log.can_focus = False
        self._tell_state()
        self._card = threading.Thread(target=self._run_card, name="emulated card", daemon=True)
        self._card.start()

    def on_unmount(self) -> None:
        self._stop.set()
        self._card.join()

    def on_resize(self, event: events.Resize) -> None:
        self.query_one(Glass).is_wide = event.size.width >= WIDTH + _SIDE_COLUMNS

    def action_tap(self, name: str) -> None:
        key = self.query_one(f"#{name}", Key)
        key.is_down = True
        self.set_timer(TAP_S, lambda: setattr(key, "is_down", False))

    def action_hold(self, name: str) -> None:
        """Hold a key until this is asked again: terminals do not tell when a key comes up."""
        key = self.query_one(f"#{name}", Key)
        key.is_down = not key.is_down

    def action_cable(self) -> None:
        (self._hands.unplug if self._port else self._hands.plug)()

    def action_charge(self, step_mv: int) -> None:
        self._battery_mv = min(FULL_MV, max(EMPTY_MV, self._battery_mv + step_mv))
        self._hands.charge(self._battery_mv)
        self._tell_state()

    def action_fill(self, step_percent: int) -> None:
        self._storage_percent = min(100, max(0, self._storage_percent + step_percent))
        self._hands.fill_storage(self._storage_percent)
        self._tell_state()

    def action_microphone(self) -> None:
        self._microphone = (self._microphone + 1) % len(_MICROPHONES)
        self._hands.wire_microphone(_MICROPHONES[self._microphone])
        self._tell_state()

    def action_power(self) -> None:
        if self._hands.powered.is_set():
            self._hands.cut_power()
        else:
            self._microphone = 0
            self._hands.restore_power()

    def action_log(self) -> None:
        """What the card has noted since its start comes over the cable, as for any host."""
        if self._port:
            threading.Thread(target=self._fetch_log, args=(str(self._port),), daemon=True).start()
        else:
            self.query_one(RichLog).write("plug the cable in (c): the card's log comes over it")

    def _fetch_log(self, port: str) -> None:
        try:
            with CardLink.open(port) as link:
                lines = link.log() or ["the card has noted nothing since its start"]
        except VoicecardError as error:
            lines = [str(error)]
        for line in lines:
            self._call(self.query_one(RichLog).write, f"  {line}")

    def _run_card(self) -> None:
        try:
            emulate(self._options, lambda notice: self._call(self._take, notice), self._stop)
        except VoicecardError as error:
            self.failure = error
        self._call(self.exit)

    def _call(self, what: Callable[..., object], *arguments: object) -> None:
        """Do something in this application's thread, as long as there is one."""
        if not self._stop.is_set():
            with suppress(RuntimeError):  # it has just ended
                self.call_from_thread(what, *arguments)

    def _take(self, notice: Notice) -> None:
        """What the card tells, in this thread."""
        if notice.kind == "screen":
            self.query_one(Glass).pixels = notice.pixels
            return
        if notice.kind == "signal":
            self._lit = bool(notice.level)
            self._tell_state()
            return
        if notice.kind == "plugged":
            self._port = notice.port
        elif notice.kind in ("unplugged", "off"):
            self._port = None
        self._runs = notice.kind != "off" and (self._runs or notice.kind == "booted")
        if notice.kind == "off":
            self._lit = False
            self.query_one(Glass).pixels = bytes(len(self.query_one(Glass).pixels))
        elif notice.kind == "booted":
            self._hands.charge(self._battery_mv)
            self._started_percent = self._storage_percent
        self.query_one(RichLog).write(notice.text)
        self._tell_state()

    def _tell_state(self) -> None:
        percent = max(0, round(100 * (self._battery_mv - EMPTY_MV) / (FULL_MV - EMPTY_MV)))
        lines = [
            f"led      {'●' if self._lit else '○'}",
            f"power    {'on' if self._runs else 'off'}",
            f"battery  {_bar(percent)} {self._battery_mv / 1000:.2f} V",
            f"storage  {_bar(self._storage_percent)} {self._storage_percent} % used at least",
            *(["         from the next start on: x, x"] if self._storage_percent != self._started_percent else []),
            f"cable    {self._port or 'out'}",
            f"mic      {self._heard()}",
            f"         {self._wire()}",
        ]
        if self._port:
            lines += ["", f"voicecard sync --port {self._port}", f"voicecard log --port {self._port}"]
        self.query_one("#about", Static).update("\n".join(lines))

    def _heard(self) -> str:
        if self._options.computer_mic:
            return "this computer's own"
        return self._options.mic.name if self._options.mic else "a silent room"

    def _wire(self) -> str:
        kind = _MICROPHONES[self._microphone]
        return "wired well" if kind == "sound" else f"a wire is off: {kind}"


def _bar(percent: int) -> str:
    return "█" * (percent // 10) + "░" * (10 - percent // 10)
