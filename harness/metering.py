"""What adapting a model takes: how often models are asked meanwhile, the tokens of that, and seconds."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING

from harness.modelling import CountsWork

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from harness.modelling import Engine
    from harness.requests import Request, Response


@dataclass(slots=True)
class Meter:
    """Counts what engines are asked while a strategy adapts.

    Attributes:
        requests: how many were answered, those of `kept` answers among them.
        tokens: that these read and wrote, where engines tell.
        load_s: seconds that loading engines took.
        kept_s: seconds that answers took which were kept from before and not asked again.
        running: whether something is adapted; what engines are asked afterwards is not counted.
    """

    requests: int = 0
    tokens: int = 0
    load_s: float = 0.0
    kept_s: float = 0.0
    running: bool = True

    def counted(self, load: Callable[[], Engine]) -> Engine:
        """Load an engine; what it is asked counts from now on."""
        started = perf_counter()
        engine = load()
        self.load_s += perf_counter() - started
        return CountedEngine(engine, self)

    def kept(self, requests: int, tokens: int, seconds: float) -> None:
        """Count answers that were kept as if they had been asked again: a result costs the same each time."""
        self.requests += requests
        self.tokens += tokens
        self.kept_s += seconds

    def answered(self, responses: Sequence[Response]) -> None:
        """Count what an engine has answered."""
        self.requests += len(responses)
        self.tokens += sum(one.usage.prompt_tokens + one.usage.output_tokens for one in responses)


class CountedEngine:
    """An engine whose answers are counted while its meter runs; a `harness.interfaces.Engine`."""

    def __init__(self, engine: Engine, meter: Meter) -> None:
        self._engine = engine
        self._meter = meter

    @property
    def provenance(self) -> Mapping[str, str]:
        """The engine's."""
        return self._engine.provenance

    @property
    def counters(self) -> Mapping[str, int]:
        """The engine's, where it counts its work."""
        return self._engine.counters if isinstance(self._engine, CountsWork) else {}

    def run(self, requests: Sequence[Request]) -> Sequence[Response]:
        """The engine's answers."""
        responses = self._engine.run(requests)
        if self._meter.running:
            self._meter.answered(responses)
        return responses
