"""What an engine did and what it was spared, in tokens."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field


@dataclass(slots=True)
class Counters:
    """Tokens since the engine was loaded.

    Attributes:
        forwarded: those that went through the model, without padding.
        reused: those that a model asked row by row would have run once more.
        padded: those that only filled up batches.
    """

    forwarded: int = 0
    reused: int = 0
    padded: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def add(self, *, forwarded: int = 0, reused: int = 0, padded: int = 0) -> None:
        """Count; from any thread."""
        with self._lock:
            self.forwarded += forwarded
            self.reused += reused
            self.padded += padded

    def told(self) -> dict[str, int]:
        """All of them, by name."""
        return {"forwarded": self.forwarded, "reused": self.reused, "padded": self.padded}
