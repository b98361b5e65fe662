"""A host and an owner in the emulated world: a visit is a generator of what they do, in the world's own time.

It yields a number of µs to wait, or a request (a dict) to send to the card. A request gives the card's answer: the object, or the
Listing; a `pull` gives the list of sectors. `Refusal` carries an answer that is an error. When the visit returns the power is cut."""

from emulator import board
from wire import frame, message

ANSWER_US = 5_000_000  # a host waits no longer
_THINK_US = 1_000
PRESS_US, SETTLE_US = 80_000, 200_000


class Refusal(Exception):
    pass


class Line:
    """The serial line as the card's standard input and output have it; the host's end is `send` and `on_write`."""

    def __init__(self, on_write):
        self._ring = bytearray()
        self._on_write = on_write

    def send(self, data):
        self._ring.extend(data)

    def plugged(self):
        return True

    def has_cable(self):
        return True

    def live(self):
        return False

    def pump(self):
        pass

    def readable(self):
        return len(self._ring) > 0

    def read_into(self, view):
        board.world.wait(None, lambda: len(self._ring) >= len(view))
        view[:] = self._ring[: len(view)]
        self._ring = self._ring[len(view) :]

    def write(self, data):
        self._on_write(bytes(data))
        return len(data)


class Visitor:
    """Goes through a visit. `error`: what it raised, or None."""

    def __init__(self, visit):
        self.line = Line(self._take)
        self.error = None
        self._steps = visit
        self._reader = frame.FrameReader(frame.MAX_TO_HOST_BYTES)
        self._writer = frame.FrameWriter(frame.MAX_TO_CARD_BYTES)
        self._sequence = 0
        self._request = None
        self._sectors = []
        self._timeout = None
        board.world.at(1, self._go)

    def _go(self, answer=None):
        try:
            step = self._steps.send(answer)
        except StopIteration:
            board.power_off("end")
        except Exception as error:  # a promise that is not kept
            self.error = error
            board.power_off("end")
        if isinstance(step, int):
            self._later(step, None)
        else:
            self._ask(step)

    def _later(self, us, answer):
        board.world.at(board.world.now_us + us, lambda: self._go(answer))

    def _ask(self, request):
        self._request = request
        self._sectors = []
        self._sequence = (self._sequence + 1) % 256
        self.line.send(self._writer.frame(message.REQUEST, self._sequence, message.pack_json(request)))
        self._timeout = board.world.at(board.world.now_us + ANSWER_US, self._give_up)

    def _give_up(self):
        self.error = Refusal("no answer to %s" % self._request)
        board.power_off("end")

    def _take(self, data):
        for kind, sequence, payload in self._reader.feed(data):
            if sequence == self._sequence and self._request:
                self._receive(kind, bytes(payload))

    def _receive(self, kind, payload):
        if kind == message.SECTOR:
            self._sectors.append(payload[message.SECTOR_NUMBER_BYTES :])
            return
        answer = message.read_listing(payload) if kind == message.LISTING else message.read_json(payload)
        if self._request["do"] == "pull" and kind == message.ANSWER and "sectors" in answer:
            return
        if self._request["do"] == "pull" and kind == message.ANSWER and "done" in answer:
            answer = self._sectors
        self._request = None
        board.world.cancel(self._timeout)
        self._later(_THINK_US, answer)


def ask(request):
    """The card's answer to a request. Raises Refusal when it is an error."""
    answer = yield request
    if isinstance(answer, dict) and "error" in answer:
        raise Refusal("%s: %s" % (request["do"], answer["error"]))
    return answer


def tap(key):
    board.key(key).move(0)
    yield PRESS_US
    board.key(key).move(1)
    yield SETTLE_US


def at_rest(rest_us, most_us):
    """Wait until flash has rested for a while."""
    for _ in range(most_us // rest_us):
        operations = board.flash.operations
        yield rest_us
        if board.flash.operations == operations:
            return
