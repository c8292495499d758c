"""An encoder-decoder as the engine drives it: prompts are read once, whatever number of texts the decoder tries."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers import DynamicCache, EncoderDecoderCache
from transformers.cache_utils import DynamicLayer
from transformers.modeling_outputs import BaseModelOutput

from harness.errors import ModelError
from harness_hf.closeness import close
from harness_hf.counters import Counters
from harness_hf.decoder import HALF, LOGIT_FLOATS
from harness_hf.linear import quicken

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from transformers import PreTrainedModel

    from harness_hf.batching import TokenBudget

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Read:
    """Rows of prompts that the encoder has read, and of what the decoder has written to them so far.

    Attributes:
        states: (B, S, D) of the encoder.
        lengths: of each prompt; what is behind it is padding.
        cache: keys and values of the encoder's states, and of the tokens that the decoder has read; grows.
    """

    states: Tensor
    lengths: tuple[int, ...]
    cache: EncoderDecoderCache

    @property
    def mask(self) -> Tensor | None:
        """(B, S), 0 where there is padding; None where there is none."""
        if min(self.lengths) == self.states.shape[1]:
            return None
        return _mask(self.lengths, self.states.shape[1], self.states.device)

    def first(self, count: int) -> Read:
        """The first rows, as views: what goes on from them leaves these as they are."""
        return self._taken(lambda tensor: tensor[:count], self.lengths[:count])

    def repeated(self, at: int, count: int) -> Read:
        """One row as many, as views, without its padding."""
        length = self.lengths[at]

        def take(tensor: Tensor) -> Tensor:
            return tensor[at : at + 1].expand(count, *[-1] * (tensor.dim() - 1))

        return self._taken(take, (length,) * count, length)

    def chosen(self, rows: Sequence[int]) -> Read:
        """These rows, in this order, copied."""
        index = torch.tensor(rows, device=self.states.device)
        return self._taken(lambda tensor: tensor[index], tuple(self.lengths[row] for row in rows))

    def _taken(self, take: Callable[[Tensor], Tensor], lengths: tuple[int, ...], end: int | None = None) -> Read:
        own = _twin(self.cache.self_attention_cache, take)
        cross = _twin(self.cache.cross_attention_cache, lambda tensor: take(tensor)[:, :, :end])
        return Read(take(self.states)[:, :end], lengths, EncoderDecoderCache(own, cross))


class EncoderDecoder:
    """Wraps a model for sequence-to-sequence language modelling.

    What not every architecture allows is tried out on a few tokens when the model is loaded. *Outputs* are the
    decoder's last states where its head can be applied apart from it, so that logits are computed only where they are
    needed; else they are the model's own logits. `project` makes logits of either.

    Attributes:
        start: the token from which texts are scored, as with labels: the configuration's.
        begin: the token from which texts are written, as by transformers' `generate`.
        padding: a token for places that nobody looks at.
        pads: whether prompts of different lengths can be run together.
        counters: tokens that went through encoder and decoder.
    """

    def __init__(self, model: PreTrainedModel) -> None:
        self.model = model
        self.start, self.begin = _starts(model)
        self._encoder: Any = model.get_encoder()
        self._decoder: Any = model.get_decoder()  # type: ignore[no-untyped-call]
        self._head: Any = model.get_output_embeddings()  # type: ignore[no-untyped-call]
        self._bias: Tensor | None = getattr(model, "final_logits_bias", None)
        self._config: Any = model.config.get_text_config(decoder=True)
        self._cap: float | None = getattr(self._config, "final_logit_softcapping", None)
        self._apart, self._scale, self._one_by_one = False, 1.0, False  # found by the trial
        padding = self._config.pad_token_id
        self.padding = padding if isinstance(padding, int) and padding >= 0 else 0
        self.counters = Counters()
        ids = torch.arange(6, device=model.device)[None] % int(self._config.vocab_size)
        with torch.inference_mode():
            quicken(model, lambda: model(input_ids=ids, decoder_input_ids=ids[:, :3]).logits)
        self._probe()
        self.counters = Counters()  # the tokens of the trial are nobody's work

    # --- forward ---------------------------------------------------------------------------------------

    def encode(self, prompts: Sequence[tuple[int, ...]], budget: TokenBudget) -> list[Tensor]:
        """The encoder's states (S, D) of each prompt, in batches of similar length.

        Raises:
            ModelError: when memory does not suffice for a single prompt.
        """
        found: dict[int, Tensor] = {}

        def forward(batch: Sequence[int]) -> None:
            states = self._encoded([prompts[at] for at in batch])
            found.update({at: row[: len(prompts[at])] for at, row in zip(batch, states, strict=True)})

        budget.run(range(len(prompts)), lambda at: len(prompts[at]) if self.pads else budget.tokens, forward)
        return [found[at] for at in range(len(prompts))]

    def read(self, states: Sequence[Tensor], start: int) -> tuple[Read, Tensor]:
        """Give the decoder its first token for each prompt.

        Args:
            states: (S, D) of each of B prompts.
            start: the first token.

        Returns:
            What to `follow`, and the outputs (B, .) after that token.
        """
        padded = pad_sequence(list(states), batch_first=True)
        read = Read(padded, tuple(map(len, states)), EncoderDecoderCache(DynamicCache(), DynamicCache()))
        return read, self.follow(read, [[start]] * len(states))[:, 0]

    def follow(self, read: Read, tokens: Sequence[Sequence[int]], *, idle: int = 0) -> Tensor:
        """Outputs (B, L, .) after each of so many more tokens a row, which `read` takes in.

        Args:
            read: what stands before them; has to be of as many rows.
            tokens: of each row; shorter ones are padded on the right, where the decoder never looks.
            idle: how many rows are there only because they have not been taken out yet.
        """
        ids = self._padded(tokens)
        real = sum(map(len, tokens)) - idle
        self.counters.add(forwarded=real, padded=ids.numel() - real)
        if self._one_by_one:
            return torch.cat([self._outputs(read, column) for column in torch.split(ids, 1, dim=1)], dim=1)
        return self._outputs(read, ids)

    def project(self, outputs: Tensor) -> Iterator[Tensor]:
        """(N, .) outputs -> logits (n, V) in float32, for consecutive parts of them."""
        if not self._apart:
            yield outputs.float()
            return
        for part in torch.split(outputs, max(1, LOGIT_FLOATS // self._vocabulary)):
            logits = self._head(part * self._scale if self._scale != 1 else part)
            logits = logits if self._bias is None else logits + self._bias
            yield (torch.tanh(logits / self._cap) * self._cap if self._cap else logits).float()

    def _encoded(self, prompts: Sequence[tuple[int, ...]]) -> Tensor:
        """(B, S, D) states of prompts that are padded on the right."""
        ids = self._padded(prompts)
        mask = _mask([len(prompt) for prompt in prompts], ids.shape[1], ids.device)
        states: Tensor = self._encoder(input_ids=ids, attention_mask=mask).last_hidden_state
        real = sum(map(len, prompts))
        self.counters.add(forwarded=real, padded=ids.numel() - real)
        return states

    def _padded(self, rows: Sequence[Sequence[int]]) -> Tensor:
        longest = max(map(len, rows))
        return torch.tensor([[*row, *[self.padding] * (longest - len(row))] for row in rows], device=self.model.device)

    def _outputs(self, read: Read, ids: Tensor) -> Tensor:
        if self._apart:
            states: Tensor = self._decoder(
                input_ids=ids,
                encoder_hidden_states=read.states,
                encoder_attention_mask=read.mask,
                past_key_values=read.cache,
                use_cache=True,
            ).last_hidden_state
            return states
        logits: Tensor = self.model(
            encoder_outputs=BaseModelOutput(read.states),
            attention_mask=read.mask,
            decoder_input_ids=ids,
            past_key_values=read.cache,
            use_cache=True,
        ).logits
        return logits

    # --- what the architecture allows ----------------------------------------------------------------

    @torch.inference_mode()
    def _probe(self) -> None:
        prompt = self._ordinary(2 * HALF)
        written = [self.start, *prompt[:HALF]]
        whole = self._plain(prompt, written)
        self._vocabulary = whole.shape[-1]
        if not any(_tried(lambda: self._close(whole, self._twice(prompt, written))) for _ in self._ways()):
            raise ModelError(
                f"{type(self.model).__name__} comes to other numbers step by step than in one go",
                hint="this engine can't run it, nor can its answers be trusted elsewhere",
            )
        self.pads = _tried(lambda: self._close(self._plain(prompt[:HALF], written), self._beside(prompt, written)))
        name = type(self.model).__name__
        if not self._apart:
            log.info("%s makes its logits itself: they are computed at every place", name)
        if self._one_by_one:
            log.info("%s can't read several tokens at once behind others: they are run one by one", name)
        if not self.pads:
            log.info("%s can't pad: its prompts are run one by one", name)

    def _close(self, expected: Tensor, found: Tensor) -> bool:
        return close(expected, found, self.model.dtype)  # of float32 logits, that of what they were made of

    def _ways(self) -> Iterator[None]:
        """Ways of running the decoder, the fastest first; `_apart`, `_scale` and `_one_by_one` are set for each."""
        width = getattr(self._config, "d_model", None) or self._config.hidden_size
        scales = (1.0, width**-0.5) if self._head is not None else ()  # T5 scales where the head is its embeddings
        for self._one_by_one in (False, True):
            self._apart = True
            for self._scale in scales:
                yield
            self._apart = False
            yield

    def _ordinary(self, count: int) -> tuple[int, ...]:
        """Tokens that mean nothing special: some models find positions from those that are not padding."""
        named = (getattr(self._config, name, None) for name in ("bos_token_id", "eos_token_id"))
        special = {self.padding, self.start, self.begin, *(token for token in named if isinstance(token, int))}
        embeddings: Any = self.model.get_input_embeddings()
        some = [token for token in range(min(embeddings.num_embeddings, 2 * count)) if token not in special]
        return tuple(some[at % len(some)] for at in range(count))

    def _plain(self, prompt: tuple[int, ...], written: list[int]) -> Tensor:
        """(L, V) logits as the model computes them in one go."""
        ids = torch.tensor([prompt], device=self.model.device)
        decoded = torch.tensor([written], device=self.model.device)
        logits: Tensor = self.model(
            input_ids=ids, attention_mask=torch.ones_like(ids), decoder_input_ids=decoded, use_cache=False
        ).logits
        return logits[0].float()

    def _twice(self, prompt: tuple[int, ...], written: list[int]) -> Tensor:
        """(2, L, V) logits of two rows that go on as views from one first token; the shorter has padding behind it."""
        read, first = self.read([*self._encoded([prompt])], written[0])
        rest = self.follow(read.repeated(0, 2), [written[1:], [*written[1:], self.padding]])
        return torch.stack([*map(self._logits, torch.cat([first[None].expand(2, -1, -1), rest[:, :-1]], dim=1))])

    def _beside(self, prompt: tuple[int, ...], written: list[int]) -> Tensor:
        """(L, V) logits of half of a prompt that is padded beside all of it."""
        long, short = self._encoded([prompt, prompt[:HALF]])
        read, first = self.read([long, short[:HALF]], written[0])
        rest = self.follow(read, [written[1:]] * 2)
        return self._logits(torch.cat([first[1:], rest[1]]))

    def _logits(self, outputs: Tensor) -> Tensor:
        return torch.cat([*self.project(outputs)])


def _starts(model: PreTrainedModel) -> tuple[int, int]:
    """The tokens from which texts are scored and written.

    Raises:
        ModelError: when the checkpoint names none.
    """
    scored = getattr(model.config, "decoder_start_token_id", None)
    generation: Any = model.generation_config
    named = [getattr(generation, name, None) for name in ("decoder_start_token_id", "bos_token_id")]
    written = next((token for token in (*named, scored) if token is not None), None)
    if written is None:
        raise ModelError(
            "the checkpoint does not say which token its decoder starts from",
            hint="set decoder_start_token_id in config.json",
        )
    return int(written if scored is None else scored), int(written)


def _mask(lengths: Sequence[int], longest: int, device: torch.device) -> Tensor:
    """(B, S), 0 behind each row's length."""
    return (torch.arange(longest, device=device) < torch.tensor(lengths, device=device)[:, None]).long()


def _twin(cache: Any, take: Callable[[Tensor], Tensor]) -> DynamicCache:  # noqa: ANN401 - layers of any kind
    """A cache of what is taken of another's keys and values (B, H, T, D)."""
    twin = DynamicCache()
    copy: Any
    for layer in cache.layers:
        copy = DynamicLayer()  # type: ignore[no-untyped-call]
        copy.lazy_initialization(layer.keys, layer.values)
        copy.keys, copy.values = take(layer.keys), take(layer.values)
        twin.layers.append(copy)
    return twin


def _tried(equal: Callable[[], bool]) -> bool:
    """Whether something works at all, and comes out right."""
    try:
        return equal()
    except (TypeError, ValueError, RuntimeError, LookupError, AttributeError, AssertionError) as error:
        log.debug("it can't: %s", error)
        return False
