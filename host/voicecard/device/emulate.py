"""An emulated card: the real firmware on MicroPython, the board in software, and a script of the owner's moves."""

from __future__ import annotations

import base64
import queue
import secrets
import signal
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from voicecard.device import computer_microphone, emulated_microphone, registry
from voicecard.device.application import firmware_folder
from voicecard.device.boards import DEFAULT, emulated_wiring, load_board
from voicecard.device.emulated_screen import ScreenRecorder
from voicecard.device.emulation_report import CycleReport, EmulationReport, FlashOperation, Notice
from voicecard.device.emulator_process import boot
from voicecard.device.filler import fill
from voicecard.device.hands import Hands
from voicecard.device.image import build_flash_image, native_modules, refresh_application
from voicecard.device.interpreter import micropython_command
from voicecard.device.port_link import check_link, linked
from voicecard.device.script import LIVE, SERVE, PowerCycle, parse_script
from voicecard.errors import DeviceError, UsageError

MICROPHONE_DC = 40 << 16  # of a 32-bit sample word; capture has to remove it
_MICROPHONE = "microphone.s16"
_POWER_ON = 1
_RESTARTS = {"reset": 2, "watchdog": 3, "sleep": 4}  # what a card that restarts so reads as its cause
_LOOK_S = 0.1  # how soon a stop is noticed
_SOON_US = 30_000_000
_MOST_RESTARTS = 20  # each soon after the last: a card that does so more often does nothing else
_OFF = {
    "end": "the script is done",
    "cut": "the power is cut",
    "watchdog": "the watchdog restarted the card",
    "reset": "the card restarted itself",
    "soft": "MicroPython starts again",
    "sleep": "the card slept, and was woken",
}


@dataclass(frozen=True, slots=True)
class EmulateOptions:
    """What to run. Only what matters is given; times are virtual unless `realtime`.

    `mic`: an audio file; `computer_mic`: this computer's own in its place, heard half a second late; `flash`: an image that is
    kept (made if it is missing), else a new one that is thrown away;
    `script`: see script.py, None serves until stopped; `port_link`: a link to the serial port while it is plugged in;
    `screens`: a folder for pictures of the display; `cut_at`: (number of a flash program or erase from 1, "before",
    "mid" or "after"), in the first boot; `display_height`: 64, 32, or 0: none;
    `log_flash`, `log_signal`: report every flash operation, and what the LED does; `carrier`: usb, or
    stdio as on a firmware without machine.USBDevice; `usb_bytes_per_s`: the most that crosses the bus; `uart_copy`: with
    stdio, output also takes the time of a UART at 115200 baud; `hands`: a person's, in place of a script, and
    every new screen and signal is told with its pixels; `board`: what it is wired like; `compiled`: how a new card has its modules;
    `firmware`: a folder with boot.py, main.py, card/ and wire/."""

    mic: Path | None = None
    computer_mic: bool = False
    flash: Path | None = None
    script: str | None = None
    port_link: Path | None = None
    screens: Path | None = None
    realtime: bool = False
    seed: int | None = None
    interpreter: Path | None = None
    heap_bytes: int = 4 * 1024 * 1024
    flash_size_bytes: int = 16 * 1024 * 1024
    card_name: str | None = None
    worst_case_flash: bool = False
    cut_at: tuple[int, str] | None = None
    log_flash: bool = False
    log_signal: bool = False
    uart_copy: bool = False
    carrier: str = "usb"
    usb_bytes_per_s: int | None = None
    display_height: int = 64
    battery_millivolts: int = 4000
    microphone_dc: int = MICROPHONE_DC
    firmware: Path | None = None
    hands: Hands | None = None
    board: str = DEFAULT
    compiled: bool = False


def emulate(
    options: EmulateOptions,
    on_event: Callable[[Notice], None] = lambda notice: None,
    stop: threading.Event | None = None,
) -> EmulationReport:
    """Run all power cycles of the script to the end, or until `stop` is set or, without a script, Ctrl-C is pressed.

    Raises UsageError for a script without meaning, DeviceError if the firmware crashed or the emulator cannot run, and
    VoicecardError for a microphone file without sound. The card's console is added to the error as a note."""
    cycles: Iterable[PowerCycle] = SERVE if options.script is None else parse_script(options.script)
    if options.mic is None and "until mic-end" in [step.word for cycle in cycles for step in cycle.steps]:
        raise UsageError(
            "the script waits for the microphone's end, but there is no sound: give an audio file with --mic"
        )
    with ExitStack() as resources:
        scratch = Path(resources.enter_context(tempfile.TemporaryDirectory(prefix="voicecard-")))
        resources.enter_context(_terminated_like_interrupted())
        if options.computer_mic:
            resources.enter_context(computer_microphone.heard_into(scratch / _MICROPHONE))
        run = _Run(options, scratch, on_event, stop or threading.Event())
        if options.hands:
            cycles = _as_long_as_wanted(options.hands, run.stop)
        try:
            for cycle in cycles:
                if not run.stop.is_set():
                    run.power_cycle(cycle)
        except KeyboardInterrupt:
            if options.script is not None:
                raise
            run.reports.append(CycleReport("stopped"))
        return run.report()


def _as_long_as_wanted(hands: Hands, stop: threading.Event) -> Iterator[PowerCycle]:
    """A power cycle each time that a person switches the card on."""
    while not stop.is_set():
        if hands.powered.wait(_LOOK_S):
            yield LIVE


@contextmanager
def running_card(options: EmulateOptions) -> Iterator[RunningCard]:
    """An emulated card in the background while the block runs; it is stopped at the end of the block."""
    card = RunningCard(options)
    try:
        yield card
    finally:
        card.stop()


class RunningCard:
    """A card that `running_card` has switched on."""

    def __init__(self, options: EmulateOptions) -> None:
        self.notices: list[Notice] = []
        self._plugged: queue.SimpleQueue[Path | None] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._result: Future[EmulationReport] = Future()
        self._thread = threading.Thread(target=self._run, args=(options,), name="emulated card", daemon=True)
        self._thread.start()

    def port(self, timeout_s: float = 20.0) -> Path:
        """Wait until the cable is plugged in (again); returns the serial port. Raises what ended the card before."""
        try:
            port = self._plugged.get(timeout=timeout_s)
        except queue.Empty:
            raise DeviceError(f"the emulated card was not plugged in within {timeout_s:g} s: see its script") from None
        if port is None:
            self.report()
            raise DeviceError("the emulated card's script has ended without plugging it in: add 'plug'")
        return port

    def report(self, timeout_s: float = 60.0) -> EmulationReport:
        """Wait for the end of the script. Raises what `emulate` raises."""
        try:
            return self._result.result(timeout_s)
        except TimeoutError:
            raise DeviceError(f"the emulated card's script did not end within {timeout_s:g} s: see its steps") from None

    def stop(self) -> None:
        """Take its power away, if it has any left."""
        self._stop.set()
        self._thread.join()

    def _run(self, options: EmulateOptions) -> None:
        try:
            self._result.set_result(emulate(options, self._take, self._stop))
        except BaseException as error:
            self._result.set_exception(error)
        finally:
            self._plugged.put(None)

    def _take(self, notice: Notice) -> None:
        self.notices.append(notice)
        if notice.port is not None:
            self._plugged.put(notice.port)


class _Run:
    """What one call of `emulate` keeps between power cycles."""

    def __init__(
        self, options: EmulateOptions, scratch: Path, on_event: Callable[[Notice], None], stop: threading.Event
    ) -> None:
        self.stop = stop
        self.reports: list[CycleReport] = []
        self._options = options
        self._scratch = scratch
        self._tell = on_event
        self._console = bytearray()
        self._seed = options.seed if options.seed is not None else secrets.randbits(64)
        self._command = self._interpreter_command()
        check_link(options.port_link)
        self._screens = ScreenRecorder(options.screens) if options.screens else None
        self._microphone = self._prepare_microphone()
        self._flash = self._prepare_flash()
        self._has_machine_code = bool(native_modules(self._flash))

    def report(self) -> EmulationReport:
        screens = tuple(self._screens.written) if self._screens else ()
        return EmulationReport(tuple(self.reports), self._console_text(), screens)

    def power_cycle(self, cycle: PowerCycle) -> None:
        """Run one power cycle with all its restarts, and append a report of each boot."""
        hands = self._options.hands
        if hands and hands.filled_percent is not None:
            fill(self._flash, hands.filled_percent)
        off = self._boot([step.as_list() for step in cycle.steps], _POWER_ON, {})
        restarts = 0
        while off["reason"] in _RESTARTS and not self.stop.is_set():
            restarts = restarts + 1 if off["time_us"] < _SOON_US else 0
            if restarts > _MOST_RESTARTS:
                raise self._failure(f"the card restarts again and again: {self._last_line()}")
            off = self._boot(off["steps"], _RESTARTS[off["reason"]], _kept(off))

    def _boot(self, steps: list[list[str | int]], reset_cause: int, kept: dict[str, Any]) -> dict[str, Any]:
        """Run the card until its power is gone or it restarts; returns its last event. `kept`: what it finds of its last start."""
        operations: list[FlashOperation] = []
        signals: list[tuple[int, int]] = []
        emulator_heap_bytes = 0
        off: dict[str, Any] = {"reason": "stopped", "steps": []}
        with ExitStack() as plugged:
            config = self._config(steps, reset_cause) | kept
            has_prompt = self._options.interpreter is None
            card = boot(self._command, config, self._scratch, self._console, self.stop, has_prompt)
            events = plugged.enter_context(closing(card))
            cable = plugged.enter_context(ExitStack())
            for event in events:
                kind = event.pop("event")
                if kind == "flash":
                    operations.append(FlashOperation(*event["operation"]))
                elif kind == "booted":
                    emulator_heap_bytes = event["emulator_heap_bytes"]
                    self._tell(Notice(kind, "the card has booted"))
                elif kind == "signal":
                    signals.append((event["time_us"], event["level"]))
                    self._tell(Notice(kind, f"the signal is {event['level']}", level=event["level"]))
                elif kind == "screen":
                    self._take_screen(event)
                elif kind == "plugged":
                    port: Path = event["port"]
                    cable.enter_context(registry.announced(port, self._options.flash))
                    cable.enter_context(linked(self._options.port_link, port))
                    self._tell(Notice(kind, f"plugged in at {self._options.port_link or port}", port))
                elif kind == "unplugged":
                    cable.close()
                    self._tell(Notice(kind, "unplugged"))
                elif kind == "prompt":
                    self._tell(Notice(kind, "the card is at MicroPython's prompt"))
                elif kind == "off" and event["reason"] == "soft":
                    self._close_report(event, operations, signals, emulator_heap_bytes)
                elif kind == "off":
                    off = event
        self._check(off["reason"])
        self._close_report(off, operations, signals, emulator_heap_bytes)
        return off

    def _close_report(
        self,
        off: dict[str, Any],
        operations: list[FlashOperation],
        signals: list[tuple[int, int]],
        emulator_heap_bytes: int,
    ) -> None:
        figures = {name: value for name, value in off.items() if name not in ("steps", "left")}
        self.reports.append(
            CycleReport(
                **figures, flash_log=tuple(operations), signals=tuple(signals), emulator_heap_bytes=emulator_heap_bytes
            )
        )
        operations.clear()
        signals.clear()
        self._tell(Notice("off", _OFF.get(off["reason"], "the card is off")))

    def _take_screen(self, event: dict[str, Any]) -> None:
        if self._screens:
            self._screens.add(event["bits"], event["height"], event["time_us"])
        text = f"a new screen at {event['time_us'] / 1e6:.3f} s"
        self._tell(Notice("screen", text, pixels=base64.b64decode(event["bits"])))

    def _check(self, reason: str) -> None:
        """Raise DeviceError for an end that is nobody's wish."""
        if reason == "crash":
            raise self._failure(f"the card's firmware crashed: {self._last_line()}")
        if reason == "corrupt":
            raise self._failure(
                "the card's file system cannot be mounted, so its application does not start: the recordings are"
                " untouched, read them with `voicecard rescue`"
            )
        if reason == "deaf":
            raise self._failure(
                "the script waits for the microphone's end, but the card does not listen: record first ('tap rec')"
            )
        if reason == "stopped" and not self.stop.is_set():
            raise self._failure(f"the emulated card's interpreter died: {self._last_line()}")

    def _last_line(self) -> str:
        lines = self._console_text().strip().splitlines()
        return lines[-1] if lines else "it printed nothing"

    def _failure(self, sentence: str) -> DeviceError:
        error = DeviceError(sentence)
        error.add_note("the card's console:\n" + self._console_text())
        return error

    def _console_text(self) -> str:
        return self._console.decode(errors="replace")

    def _config(self, steps: list[list[str | int]], reset_cause: int) -> dict[str, Any]:
        options = self._options
        number = len(self.reports)
        return {
            "flash": str(self._flash),
            "native": self._machine_code(),
            "wiring": None if options.board == DEFAULT else emulated_wiring(load_board(options.board)),
            "microphone": str(self._microphone) if self._microphone else None,
            "microphone_grows": options.computer_mic,
            "seed": f"{self._seed}/{number}",
            "realtime": options.realtime or options.computer_mic or options.hands is not None,
            "worst_case_flash": options.worst_case_flash,
            "cut_at": options.cut_at if number == 0 else None,
            "log_flash": options.log_flash,
            "signals": options.log_signal or options.hands is not None,
            "controls": options.hands.descriptor if options.hands else None,
            "dc": options.microphone_dc,
            "display_height": options.display_height,
            "screens": self._screens is not None or options.hands is not None,
            "uart_copy": options.uart_copy,
            "carrier": options.carrier,
            "usb_bytes_per_s": options.usb_bytes_per_s,
            "battery_millivolts": options.battery_millivolts,
            "reset_cause": reset_cause,
            "calendar_us": 0,
            "memory": "",
            "woken_by": 0,
            "steps": steps,
        }

    def _interpreter_command(self) -> list[str]:
        run = firmware_folder().resolve() / "emulator" / "run.py"
        heap = f"heapsize={self._options.heap_bytes}"
        return [*micropython_command(self._options.interpreter, as_board=True), "-X", heap, str(run)]

    def _prepare_microphone(self) -> Path | None:
        target = self._scratch / _MICROPHONE
        if self._options.computer_mic:
            return target
        if self._options.mic is None:
            return None
        emulated_microphone.prepare(self._options.mic, target, lambda text: self._tell(Notice("note", text)))
        return target

    def _machine_code(self) -> dict[str, Any] | None:
        """The modules in the image that this machine cannot run, and where their sources are. An update may bring others."""
        modules = native_modules(self._flash) if self._has_machine_code else []
        sources = (self._options.firmware or firmware_folder()).resolve()
        return {"modules": modules, "sources": str(sources)} if modules else None

    def _prepare_flash(self) -> Path:
        options = self._options
        board = None if options.board == DEFAULT else load_board(options.board)
        if options.flash and options.flash.exists():
            refresh_application(options.flash, options.firmware, board=board)
            return options.flash.resolve()
        path = options.flash.absolute() if options.flash else self._scratch / "flash.bin"
        build_flash_image(
            path,
            options.flash_size_bytes,
            options.card_name,
            options.seed,
            options.firmware,
            options.compiled,
            board=board,
        )
        return path


def _kept(off: dict[str, Any]) -> dict[str, Any]:
    """What is left for the next start: after a deep sleep all of it, else the battery."""
    left: dict[str, Any] = off["left"]
    return left if off["reason"] == "sleep" else {"battery_millivolts": left["battery_millivolts"]}


@contextmanager
def _terminated_like_interrupted() -> Iterator[None]:
    """While the block runs, SIGTERM ends it like Ctrl-C does, with everything cleaned up (in the main thread only)."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def leave(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    previous = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
