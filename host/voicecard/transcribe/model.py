"""What a backend returns, under the name by which backends of other packages import it."""

from voicecard.transcript import Segment, Transcript, Word, clock

__all__ = ["Segment", "Transcript", "Word", "clock"]
