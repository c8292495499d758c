"""lm-eval's own tasks with a few made-up rows each, for comparing without a network: python lm_eval_tasks.py FOLDER

Each task is lm-eval's YAML as it is (`include:`), with `dataset_path` pointed at rows that have the columns of its data
set. Prompts, demonstrations, filters, metrics and code are lm-eval's.
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

import yaml

WORDS = [
    "river",
    "stone",
    "market",
    "winter",
    "garden",
    "teacher",
    "engine",
    "letter",
    "mountain",
    "bridge",
    "sugar",
    "copper",
    "forest",
    "number",
    "signal",
    "kitchen",
    "morning",
    "doctor",
    "window",
    "paper",
    "silver",
    "harbour",
    "candle",
    "ladder",
    "planet",
    "basket",
]
VERBS = ["carries", "finds", "paints", "repairs", "counts", "follows", "measures", "opens", "sells", "watches"]


class Maker:
    """Rows of made-up sentences, the same for the same seed."""

    def __init__(self, seed: str) -> None:
        self.rng = random.Random(seed)

    def word(self):
        return self.rng.choice(WORDS)

    def sentence(self, end="."):
        return f"The {self.word()} {self.rng.choice(VERBS)} the {self.word()} near the {self.word()}{end}"

    def text(self, n=2):
        return " ".join(self.sentence() for _ in range(n))

    def words(self, n):
        return self.rng.sample(WORDS, n)

    def below(self, n):
        return self.rng.randrange(n)

    def question(self):
        return f"What does the {self.word()} do near the {self.word()}?"

    def sum(self):
        a, b = self.below(90), self.below(90)
        return a, b, a + b


def letters(m, labels="ABCD"):
    texts = [m.word() + " " + m.word() for _ in labels]
    return {
        "question": m.question(),
        "choices": {"text": texts, "label": list(labels)},
        "answerKey": m.rng.choice(labels),
    }


def mmlu(m):
    return {"question": m.question(), "choices": m.words(4), "answer": m.below(4)}


def pair(m, one="sentence1", two="sentence2", labels=2):
    return {one: m.sentence(), two: m.sentence(), "label": m.below(labels)}


def wic(m):
    word = m.word()
    one, two = f"She saw the {word} today.", f"A {word} is never late."
    places = {"start1": one.index(word), "end1": one.index(word) + len(word), "start2": 2, "end2": 2 + len(word)}
    return {"word": word, "sentence1": one, "sentence2": two, **places, "label": m.below(2)}


def winogrande(m):
    a, b = m.words(2)
    sentence = f"The {a} did not fit on the {b} because the _ was too large."
    return {"sentence": sentence, "option1": a, "option2": b, "answer": m.rng.choice("12")}


def wsc273(m):
    a, b = m.words(2)
    text = f"The {a} stood beside the {b} until it fell into the water."
    return {
        "text": text,
        "pronoun": "it",
        "pronoun_loc": text.index(" it ") + 1,
        "quote": "it fell",
        "quote_loc": text.index("it fell"),
        "options": [f"The {a}", f"The {b}"],
        "label": m.below(2),
        "source": "made up",
    }


def race(m):
    problems = [{"question": m.question(), "answer": m.rng.choice("ABCD"), "options": m.words(4)} for _ in range(2)]
    return {"article": m.text(3), "problems": repr(problems)}


def truthful(m):
    texts = [m.sentence() for _ in range(4)]
    return {
        "question": m.question(),
        "mc1_targets": {"choices": texts, "labels": [1, 0, 0, 0]},
        "mc2_targets": {"choices": [*texts, m.sentence()], "labels": [1, 1, 0, 0, 0]},
    }


def hellaswag(m):
    return {
        "activity_label": m.word().title(),
        "ctx_a": m.sentence(),
        "ctx_b": f"then the {m.word()}",
        "endings": [f"{m.rng.choice(VERBS)} the {m.word()}." for _ in range(4)],
        "label": str(m.below(4)),
    }


def drop(m):
    spans = {"number": "", "date": {"day": "", "month": "", "year": ""}, "spans": m.words(2)}
    number = {**spans, "number": str(m.below(50)), "spans": []}
    answer = m.rng.choice([spans, number])
    validated = {"number": [number["number"]], "date": [number["date"]], "spans": [m.words(1)]}
    return {
        "query_id": str(m.below(10**6)),
        "passage": m.text(2),
        "question": m.question(),
        "answer": answer,
        "validated_answers": validated,
    }


def gsm8k(m):
    a, b, c = m.sum()
    return {"question": f"Ann has {a} apples and buys {b}. How many has she?", "answer": f"{a} + {b} = {c}\n#### {c}"}


def algebra(m):
    a, b, c = m.sum()
    return {"problem": f"What is ${a} + {b}$?", "solution": f"It is $\\boxed{{{c}}}$."}


def mathqa(m):
    numbers = ", ".join(f"{letter} ) {m.below(100)}" for letter in "abcde").replace(", ", " , ")
    return {
        "Problem": f"what is {m.below(50)} plus {m.below(50)} ?",
        "options": numbers,
        "correct": m.rng.choice("abcde"),
    }


def squad_completion(m):
    value = m.word()
    return {"text": f"{m.sentence()} The word is", "value": value}


def label_of(n, **columns):
    return lambda m: {**{name: make(m) for name, make in columns.items()}, "label": m.below(n)}


SENTENCE, QUESTION, WORD = Maker.sentence, Maker.question, Maker.word

TASKS = {
    # multiple_choice
    "arc_easy": letters,
    "arc_challenge": letters,
    "openbookqa": lambda m: {"question_stem": m.sentence(""), **letters(m)},
    "commonsense_qa": lambda m: letters(m, "ABCDE"),
    "hellaswag": hellaswag,
    "swag": lambda m: {
        "startphrase": f"The {m.word()}",
        **{f"ending{n}": m.sentence() for n in range(4)},
        "label": m.below(4),
    },
    "piqa": label_of(2, goal=SENTENCE, sol1=SENTENCE, sol2=SENTENCE),
    "sciq": lambda m: {
        "question": m.question(),
        "support": m.text(2),
        **dict(zip(("distractor1", "distractor2", "distractor3", "correct_answer"), m.words(4), strict=True)),
    },
    "boolq": label_of(2, passage=Maker.text, question=lambda m: m.sentence("")),
    "winogrande": winogrande,
    "wsc273": wsc273,
    "copa": lambda m: {
        "premise": m.sentence(),
        "choice1": m.sentence(),
        "choice2": m.sentence(),
        "question": m.rng.choice(["cause", "effect"]),
        "label": m.below(2),
    },
    "cb": lambda m: pair(m, "premise", "hypothesis", 3),
    "rte": pair,
    "wnli": pair,
    "mrpc": pair,
    "qnli": lambda m: pair(m, "question", "sentence"),
    "qqp": lambda m: pair(m, "question1", "question2"),
    "sst2": label_of(2, sentence=SENTENCE),
    "cola": label_of(2, sentence=SENTENCE),
    "wic": wic,
    "multirc": label_of(2, paragraph=Maker.text, question=QUESTION, answer=WORD),
    "truthfulqa_mc1": truthful,
    "truthfulqa_mc2": truthful,
    "mmlu_abstract_algebra": mmlu,
    "wmdp_bio": mmlu,
    "wmdp_chem": mmlu,
    "wmdp_cyber": mmlu,
    "race": race,
    "logiqa": lambda m: {
        "context": m.text(),
        "question": m.question(),
        "options": m.words(4),
        "label": m.rng.choice("abcd"),
    },
    "mathqa": mathqa,
    "anli_r1": lambda m: pair(m, "premise", "hypothesis", 3),
    "xnli_en": lambda m: pair(m, "premise", "hypothesis", 3),
    "social_iqa": lambda m: {
        "context": m.sentence(),
        "question": m.question(),
        **dict(zip(("answerA", "answerB", "answerC"), m.words(3), strict=True)),
        "label": str(1 + m.below(3)),
    },
    "blimp_adjunct_island": lambda m: {"sentence_good": m.sentence(), "sentence_bad": m.sentence()},
    "crows_pairs_english": lambda m: {
        "sent_more": m.sentence(),
        "sent_less": m.sentence(),
        "stereo_antistereo": m.rng.choice(["stereo", "antistereo"]),
        "bias_type": "made up",
    },
    "toxigen": lambda m: {"text": m.sentence(), "toxicity_ai": float(m.below(6)), "toxicity_human": float(m.below(6))},
    "webqs": lambda m: {"question": m.question(), "answers": m.words(3)},
    # loglikelihood
    "lambada_openai": lambda m: {"text": m.text(3).rstrip(".")},
    "lambada_standard": lambda m: {"text": m.text(3).rstrip(".")},
    "lambada_openai_cloze_yaml": lambda m: {"text": m.text(3).rstrip(".")},
    "arithmetic_1dc": lambda m: {
        "context": f"Q: What is ({m.below(9)} + {m.below(9)}) * 2?\n\nA:",
        "completion": f" {m.below(30)}",
    },
    "asdiv": lambda m: {"body": m.sentence(), "question": m.question(), "answer": f"{m.below(30)} ({m.word()}s)"},
    # loglikelihood_rolling
    "wikitext": lambda m: {"page": f" = {m.word().title()} = \n\n {m.text(120)} \n"},
    "pile_10k": lambda m: {"text": m.text(25)},
    "c4": lambda m: {"text": m.text(20)},
    # generate_until
    "gsm8k": gsm8k,
    "gsm8k_cot": gsm8k,
    "mgsm_direct_en": lambda m: {**gsm8k(m), "answer": None, "answer_number": m.below(90)},
    "hendrycks_math_algebra": algebra,
    "triviaqa": lambda m: {"question": m.question().rstrip("?"), "answer": {"aliases": m.words(3), "value": m.word()}},
    "nq_open": lambda m: {"question": m.question().rstrip("?"), "answer": m.words(2)},
    "drop": drop,
    "babi": lambda m: {"passage": m.text(2) + "\n", "question": m.question(), "answer": m.word()},
    "bbh_zeroshot_boolean_expressions": lambda m: {
        "input": "not ( True ) and False is",
        "target": m.rng.choice(["True", "False"]),
    },
    "bbh_cot_fewshot_navigate": lambda m: {
        "input": f"Take {m.below(9)} steps. Are you back?",
        "target": m.rng.choice(["Yes", "No"]),
    },
    "arc_challenge_chat": letters,
    "wmt16-en-de": lambda m: {
        "translation": {"en": m.sentence(), "de": f"Der {m.word().title()} und der {m.word().title()}."}
    },
    "squad_completion": squad_completion,
}
"""Task -> a maker of one row."""

CLASSES = {"squad_completion": ("lm_eval.tasks.squad_completion.task", "SQUADCompletion")}
"""Tasks that are a Python class: module and name."""

GROUPS = {"wmdp": "wmdp/_wmdp.yaml"}
"""Groups of these tasks that have an aggregate of their own: name -> lm-eval's file."""

SPLITS = ("training_split", "validation_split", "test_split", "fewshot_split")


def write(folder: Path, tasks: list[str] | None = None, rows: int = 8) -> list[str]:
    """Write the tasks into a folder for --tasks-path; their names."""
    import lm_eval.tasks

    own = Path(lm_eval.tasks.__file__).parent
    names = list(tasks or TASKS)
    (folder / "data").mkdir(parents=True, exist_ok=True)
    for name, path in _paths(own, names).items():
        config = _merged(path)
        splits = sorted({config[split] for split in SPLITS if config.get(split)}) or ["validation"]
        files = {}
        for split in splits:
            maker = Maker(f"{name} {split}")
            files[split] = str(folder / "data" / f"{name}-{split}.jsonl")
            Path(files[split]).write_text("".join(json.dumps(TASKS[name](maker)) + "\n" for _ in range(rows)))
        if name in CLASSES:
            _write_class(folder, name, files)
            continue
        local = {
            "include": str(path),
            "task": name,
            "dataset_path": "json",
            "dataset_name": None,
            "dataset_kwargs": {"data_files": files},
        }
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(local, sort_keys=False))
    for group, path in GROUPS.items():
        if any(name.startswith(group) for name in names):
            (folder / f"{group}.yaml").write_text(f"include: {own / path}\n")
    return names


def _paths(own: Path, names: list[str]) -> dict[str, Path]:
    """lm-eval's files of these tasks: those with a line `task: NAME`."""
    found = {}
    for path in sorted(own.rglob("*.yaml")):
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.lstrip("\"'").startswith("task"):
                name = line.partition(":")[2].partition("#")[0].strip().strip("\"'")
                if name in names:
                    found.setdefault(name, path)
    missing = set(names) - set(found)
    assert not missing, f"lm-eval has no file of {missing}"
    return {name: found[name] for name in names}


def _merged(path: Path) -> dict:
    from lm_eval.tasks._yaml_loader import load_yaml

    return load_yaml(path, resolve_func=False)


def _write_class(folder: Path, name: str, files: dict[str, str]) -> None:
    module, of = CLASSES[name]
    code = (
        f"import datasets\nfrom {module} import {of}\n\n\nclass Local({of}):\n"
        "    def download(self, *_, **__):\n"
        f"        self.dataset = datasets.load_dataset('json', data_files={files!r})\n"
    )
    (folder / f"{name}_local.py").write_text(code)
    (folder / f"{name}.yaml").write_text(f"task: {name}\nclass: !function {name}_local.Local\n")


if __name__ == "__main__":
    print("\n".join(write(Path(sys.argv[1]).resolve())))
