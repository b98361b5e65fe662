"""Whisper on this machine, by faster-whisper (`pip install 'voicecard[whisper]'`): the recommended backend."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from voicecard.config import Config, Setting
from voicecard.errors import BackendError, UsageError
from voicecard.transcribe.audio import at_rate
from voicecard.transcribe.backend import Backend, Heard, Limits
from voicecard.transcribe.model import Segment, Word

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MODEL_SAMPLE_RATE = 16_000
FILES = ("config.json", "model.bin", "tokenizer.json")  # without the last one, loading would ask the hub for it

MODEL = Setting(
    "whisper.model",
    "small",
    "tiny, base, small, medium, large-v3, turbo, distil-large-v3.5 ..., a repository of the Hugging Face hub, or a folder",
)
DEVICE = Setting("whisper.device", "auto", "where it computes", choices=("auto", "cpu", "cuda"))
COMPUTE_TYPE = Setting(
    "whisper.compute_type",
    "auto",
    "numbers that it computes with; auto: the fastest that the device has",
    choices=("auto", "int8", "int8_float16", "int8_float32", "float16", "bfloat16", "float32"),
)
LANGUAGE = Setting("whisper.language", "", "language that is spoken (ISO 639-1, like de); found out if empty")


class Whisper(Backend):
    name = "whisper"
    description = "Whisper by faster-whisper: accurate, a hundred languages, offline once its model is here"
    settings = (MODEL, DEVICE, COMPUTE_TYPE, LANGUAGE)
    sends_audio = False
    rank = 50
    limits = Limits(piece_s=120.0)

    def __init__(self, config: Config) -> None:
        self.model = config[MODEL]
        self.language = config[LANGUAGE]
        self._device = config[DEVICE]
        self._compute_type = config[COMPUTE_TYPE]
        self._whisper: Any = None
        self._loading = Lock()

    def missing(self) -> str | None:
        if find_spec("faster_whisper") is None:
            return "the package faster-whisper is not installed: install it with `pip install 'voicecard[whisper]'`"
        if self._folder() is None:
            return (
                f"the Whisper model {self.model} is not on this computer: `voicecard backends --prepare whisper` fetches it "
                "(75 MB for tiny, 480 MB for small, 3 GB for large-v3)"
            )
        return None

    def prepare(self) -> None:
        """Download the model from the Hugging Face hub into its cache, unless it is there."""
        from faster_whisper.utils import download_model

        if self._folder() is not None:
            return
        try:
            download_model(self.model)
        except ValueError as error:
            raise UsageError(f"there is no Whisper model {self.model!r}: see `voicecard config list`") from error
        except Exception as error:  # of the hub's client, of its HTTP client, or of the system
            raise BackendError(
                f"the Whisper model {self.model} could not be fetched ({type(error).__name__}): check the network and the "
                "name, and try again; what has arrived stays",
                retry=True,
            ) from error
        if self._folder() is None:
            raise BackendError(f"{self.model} has no {', '.join(FILES)} for faster-whisper: choose another model")

    def transcribe(self, samples: NDArray[np.int16], sample_rate: int, language: str = "") -> Heard:
        import numpy as np

        sound = at_rate(samples, sample_rate, MODEL_SAMPLE_RATE).astype(np.float32) / 32768
        if not len(sound):
            return Heard()
        whisper = self._loaded()
        wanted = language or self.language
        if wanted and wanted not in whisper.supported_languages:
            raise BackendError(
                f"the Whisper model {self.model} does not hear the language {wanted!r}: choose another model"
            )
        # What was said before is no prompt: it makes Whisper repeat itself, and pieces are independent.
        found, about = whisper.transcribe(
            sound, language=wanted or None, word_timestamps=True, vad_filter=True, condition_on_previous_text=False
        )
        return Heard(tuple(_segment(part) for part in found), about.language)

    def _loaded(self) -> Any:
        with self._loading:
            if self._whisper is None:
                from faster_whisper import WhisperModel

                try:
                    self._whisper = WhisperModel(
                        str(self._folder() or self.model),
                        device=self._device,
                        compute_type=self._compute_type,
                        local_files_only=True,
                    )
                except (ValueError, RuntimeError, OSError) as error:
                    raise BackendError(
                        f"the Whisper model {self.model} cannot be loaded on the device {self._device} "
                        f"({' '.join(str(error).split())[:200]}): check whisper.model, whisper.device and whisper.compute_type"
                    ) from error
            return self._whisper

    def _folder(self) -> Path | None:
        """Where the model is, whole; None if it is not on this computer."""
        folder = Path(self.model).expanduser()
        if not folder.is_dir():
            from faster_whisper.utils import download_model

            try:
                folder = Path(download_model(self.model, local_files_only=True))
            except Exception:  # not there; what else may be wrong with the name, `prepare` tells
                return None
        return folder if all((folder / name).exists() for name in FILES) else None


def _segment(part: Any) -> Segment:
    words = tuple(Word(float(word.start), float(word.end), word.word.strip()) for word in part.words or ())
    return Segment(float(part.start), float(part.end), part.text.strip(), words=words)
