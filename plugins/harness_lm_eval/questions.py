"""Rows -> lm-eval's requests, in the harness's words; responses -> what lm-eval makes of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness import Generate, Generated, LogLikelihood, LogLikelihoods, ModelError, Prompt, RollingLogLikelihood

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness import Request, RequestKind, Response
    from harness_lm_eval.part import Part

MAX_TOKENS = 256
"""Tokens of an answer where a task does not say, as lm-eval has it."""

SPOKEN = frozenset(
    {"until", "do_sample", "temperature", "top_p", "num_beams"}
    | {"max_gen_toks", "max_new_tokens", "max_tokens", "max_completion_tokens"}
)
"""Generation arguments that a request can say; beams only where there is one."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, and the places of the instances that it stands for, one a continuation."""

    request: Request
    places: tuple[int, ...]


def needed(part: Part) -> frozenset[RequestKind]:
    """The kinds of requests that a task makes, as far as its output type tells."""
    kinds: dict[str, RequestKind] = {"loglikelihood_rolling": "RollingLogLikelihood", "generate_until": "Generate"}
    return frozenset({kinds.get(part.output, "LogLikelihood")})


def unsayable(part: Part) -> str | None:
    """The first generation argument that a request can't say; None where all can be said."""
    arguments = dict(part.config.generation_kwargs or {}) if part.output == "generate_until" else {}
    if int(arguments.get("num_beams", 1)) > 1:
        return f"num_beams={arguments['num_beams']}"
    return next((f"{name}={value}" for name, value in arguments.items() if name not in SPOKEN), None)


def instances(part: Part, number: int, context: Any) -> list[Any]:  # noqa: ANN401 - lm-eval's
    """lm-eval's instances of one row, in the order in which it reads their answers."""
    made = part.task.construct_requests(
        doc=part.docs[number],
        ctx=context,
        metadata=(part.name, number, part.repeats),
        apply_chat_template=False,
        chat_template=None,
    )
    return sorted(made if isinstance(made, list) else [made], key=lambda instance: instance.idx)


def compiled(found: Sequence[Any], seed: int, *, greedy: bool) -> list[Asked]:
    """The requests of instances; continuations of one context are one request.

    Args:
        found: lm-eval's instances.
        seed: where tokens are drawn.
        greedy: whether it matters if a continuation is what the model would write.
    """
    contexts: dict[str, list[int]] = {}
    asked: list[Asked] = []
    for place, instance in enumerate(found):
        if instance.request_type == "loglikelihood":
            contexts.setdefault(instance.args[0], []).append(place)
        elif instance.request_type == "loglikelihood_rolling":
            asked.append(Asked(RollingLogLikelihood(instance.args[0]), (place,)))
        else:
            asked.append(Asked(_generation(instance, seed), (place,)))
    for context, places in contexts.items():
        continuations = tuple(found[place].args[1] for place in places)
        asked.append(Asked(LogLikelihood(Prompt(context), continuations, greedy), tuple(places)))
    return asked


def _generation(instance: Any, seed: int) -> Generate:  # noqa: ANN401 - lm-eval's
    from lm_eval.models.utils import normalize_gen_kwargs

    context, arguments = instance.args[:2]
    said: dict[str, Any] = dict(normalize_gen_kwargs(arguments, MAX_TOKENS))
    temperature = float(said.get("temperature", 1.0)) if said["do_sample"] else 0.0
    return Generate(
        Prompt(context),
        max_tokens=said["max_gen_toks"],
        stop=tuple(dict.fromkeys(stop for stop in said["until"] if stop)),
        temperature=temperature,
        seed=seed,
        top_p=float(said.get("top_p", 1.0)) if temperature else 1.0,
        n=instance.repeats or 1,
    )


def answered(asked: Sequence[Asked], responses: Sequence[Response], found: Sequence[Any]) -> None:
    """Give each instance the answers that lm-eval expects: `(log-likelihood, greedy)`, a number, or texts.

    Raises:
        ModelError: when a response is no answer, or does not tell what was asked for.
    """
    for one, response in zip(asked, responses, strict=True):
        if isinstance(one.request, Generate) and isinstance(response, Generated):
            found[one.places[0]].resps = [response.text, *(text.text for text in response.more)]
        elif isinstance(one.request, RollingLogLikelihood) and isinstance(response, LogLikelihoods):
            found[one.places[0]].resps = [response.values[0]] * (found[one.places[0]].repeats or 1)
        elif isinstance(one.request, LogLikelihood) and isinstance(response, LogLikelihoods):
            greedy = response.greedy or (False,) * len(response.values)
            if one.request.greedy and not response.greedy:
                raise ModelError("the engine does not tell whether a continuation is the likeliest one")
            for place, value, likeliest in zip(one.places, response.values, greedy, strict=True):
                found[place].resps = [(value, likeliest)] * (found[place].repeats or 1)
        else:
            raise ModelError(f"{type(response).__name__} is no answer to {type(one.request).__name__}")


def judged(part: Part, number: int, found: Sequence[Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What lm-eval measures on a row, and what its filters find in the first answer, by metric and filter.

    Args:
        part: the task.
        number: of the row.
        found: its instances, with their answers.
    """
    for ensemble in part.task._filters:
        ensemble.apply(list(found))
    measured: dict[str, Any] = {}
    filtered: dict[str, Any] = {}
    for key in found[0].filtered_resps:
        results = [instance.filtered_resps[key] for instance in found]
        filtered[named("filtered_resps", key)] = results[0] if len(results) == 1 else results
        values: Mapping[str, Any] = part.task.process_results(part.docs[number], results)
        measured |= {named(metric, key): value for metric, value in values.items()}
    return measured, filtered


def named(metric: str, key: str) -> str:
    """A metric's name with its filter's, as lm-eval prints it; of the filter that changes nothing the metric's."""
    return metric if key == "none" else f"{metric},{key}"
