"""What a checkpoint's generation_config.json asks of its answers: tokens that come first, last, never or not again.

These are transformers' own processors in the order in which its `generate` applies them, so that greedy answers are
those of `generate`. What chooses among answers (beams, sampling) is not in it: a request says that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from transformers import LogitsProcessorList
from transformers.generation import logits_process

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor
    from transformers import GenerationConfig

    from harness_hf.writing import Answer

known: Any = logits_process  # its annotations name types that nothing has

START = 1
"""Tokens that the decoder has read before the first one of an answer."""


def constraints(config: GenerationConfig | None, one: Answer, device: torch.device) -> LogitsProcessorList:
    """What changes the logits of an answer, given all that the decoder has read; often nothing.

    Args:
        config: of the checkpoint.
        one: some of it depends on the prompt and on the limit.
        device: where logits are.
    """
    asked: Any = config
    if asked is None:
        return LogitsProcessorList()
    named, place = asked.eos_token_id, str(device)
    ends = [] if named is None else list(named) if isinstance(named, (list, tuple)) else [named]
    source = torch.tensor([one.ids], device=device)
    begin = START if asked.forced_bos_token_id is None else START + 1
    # In the order of `generate`: setting, the value that asks for nothing (as None does), processor.
    makers: list[tuple[str, Any, Callable[[Any], Any]]] = [
        ("sequence_bias", {}, known.SequenceBiasLogitsProcessor),
        ("encoder_repetition_penalty", 1, lambda x: known.EncoderRepetitionPenaltyLogitsProcessor(x, source)),
        ("repetition_penalty", 1, known.RepetitionPenaltyLogitsProcessor),
        ("no_repeat_ngram_size", 0, known.NoRepeatNGramLogitsProcessor),
        ("encoder_no_repeat_ngram_size", 0, lambda x: known.EncoderNoRepeatNGramLogitsProcessor(x, source)),
        ("bad_words_ids", [], lambda x: known.NoBadWordsLogitsProcessor(x, ends or None)),
        ("min_length", 0, lambda x: known.MinLengthLogitsProcessor(x, ends, place)),
        ("min_new_tokens", 0, lambda x: known.MinNewTokensLengthLogitsProcessor(START, x, ends, place)),
        ("forced_bos_token_id", None, known.ForcedBOSTokenLogitsProcessor),
        ("forced_eos_token_id", None, lambda x: known.ForcedEOSTokenLogitsProcessor(START + one.limit, x, place)),
        ("suppress_tokens", [], lambda x: known.SuppressTokensLogitsProcessor(x, place)),
        ("begin_suppress_tokens", [], lambda x: known.SuppressTokensAtBeginLogitsProcessor(x, begin, place)),
    ]
    found = LogitsProcessorList()
    for name, neutral, make in makers:
        value = getattr(asked, name, None)
        if value is not None and value != neutral and (ends or not name.startswith("min_")):
            found.append(make(value))
    return found


def constrained(found: LogitsProcessorList, start: int, one: Answer, logits: Tensor) -> Tensor:
    """The logits (V,) of an answer's next token as its constraints leave them."""
    if not found:
        return logits
    read = torch.tensor([[start, *one.new]], device=logits.device)
    run: Any = found
    changed: Tensor = run(read, logits[None].clone())[0]
    return changed
