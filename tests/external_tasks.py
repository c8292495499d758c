"""A plugin file for tests: tasks that ask and judge by themselves, under one name. They are fakes."""

from harness import (
    Adapted,
    Estimate,
    LogLikelihood,
    Prediction,
    Prompt,
    PromptSpec,
    RollingLogLikelihood,
    Sample,
    TaskSpec,
    hookimpl,
)


class Mean:
    def __init__(self, name, higher_is_better):
        self.name, self.higher_is_better = name, higher_is_better

    def compute(self, predictions, spec):
        values = [one.measured[self.name] for one in predictions if self.name in one.measured]
        return Estimate(*[sum(values) / len(values)] * 3) if values else None


class External:
    asked = "How many?"

    def __init__(self, name):
        self.spec = TaskSpec(f"other:{name}", "external", PromptSpec(""), metrics=("surprise", "shown"))

    def samples(self, split):
        return [Sample(str(n), {"n": n}, "a") for n in range(5)] if split == "test" else ()

    def refuses(self, model, demonstrations):
        return "it takes three at most" if demonstrations and demonstrations > 3 else None

    def asking(self, demonstrations, seed):
        shown = 2 if demonstrations is None else demonstrations

        def requests(sample):
            yield LogLikelihood(Prompt(f"{self.asked} {seed}", ("x\n",) * shown), (" a", " b"), True)
            yield RollingLogLikelihood("a b c")

        def decide(sample, responses):
            first, second = responses
            return Prediction(
                sample.id,
                "a",
                "b",
                measured={"surprise": -second.values[0] - shown, "shown": shown},
                judged=first.greedy[0],
            )

        return Adapted(requests, decide, notes=("asked as it likes",))

    def identity(self):
        return self.asked

    def metrics(self, predictions):
        found = {"surprise": Mean("surprise", False), "shown": Mean("shown", True)}
        return found | ({"more": Mean("shown", True)} if predictions else {})


class Others:
    def __call__(self, reference: str):
        return External(reference)

    def members(self, reference, assets, tasks_path):
        return ["one", "two"] if reference == "*" else [reference]

    def listing(self, assets, tasks_path):
        yield from (("one", "the first"), ("two", f"in {len(tasks_path)} folders"))


OTHERS = Others()


@hookimpl
def register_tasks(register):
    register("other", "external_tasks:OTHERS", summary="tasks of another harness")


@hookimpl
def register_models(register):
    register("toy", "harness.testing:ToyModel")
