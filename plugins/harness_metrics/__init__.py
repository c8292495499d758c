"""The metrics that come with the harness, each with its 95% interval; parameters stand behind their names."""

from __future__ import annotations

from harness.hookspecs import Register, hookimpl

CHOSEN = (
    ("balanced_accuracy", "classes:BalancedAccuracy", "mean share of right answers over labels (bootstrap)"),
    ("weighted_f1", "classes:WeightedF1", "mean of the labels' F1, as often as they occur (bootstrap)"),
    ("mcc", "classes:MatthewsCorrelation", "Matthews' correlation of labels and answers (bootstrap)"),
    ("brier", "probability:Brier", "squared distance of probabilities from the truth, 0-2 (bootstrap)"),
    ("ece", "probability:CalibrationError", "confidence against accuracy in 15 bins of equal mass (bootstrap)"),
    ("auroc", "probability:Auroc", "area under the ROC curve, one label against the rest, mean (bootstrap)"),
)
"""Of labels and choices: name, target, summary."""

GENERATED = (
    ("bleu", "translation:Bleu", "sacrebleu's BLEU, 0-100, case:mixed|eff:no|tok:13a|smooth:exp (bootstrap)"),
    ("chrf", "translation:Chrf", "sacrebleu's chrF2, 0-100, case:mixed|eff:yes|nc:6|nw:0|space:no (bootstrap)"),
    ("ter", "translation:Ter", "sacrebleu's TER, 0 is best, case:lc|tok:tercom|norm:no|punct:yes (bootstrap)"),
    ("rouge1", "rouge:Rouge1", "F1 of words in answer and reference, rouge-score, not stemmed (bootstrap)"),
    ("rouge2", "rouge:Rouge2", "F1 of pairs of words, rouge-score, not stemmed (bootstrap)"),
    ("rougeL", "rouge:RougeL", "F1 of the longest common subsequence, rouge-score, not stemmed (bootstrap)"),
    ("squad_em", "squad:SquadExactMatch", "share of answers that are a reference, as SQuAD normalizes (Wilson)"),
    ("squad_f1", "squad:SquadF1", "F1 of words in answer and reference, as SQuAD's script, 0-1 (bootstrap)"),
)
"""Of generated text: name, target, summary."""


PARAMETRISED = (
    ("f1", "perlabel:F1", "F1 of one label (label=spam) or averaged (average=macro, micro, weighted) (bootstrap)"),
    ("precision", "perlabel:Precision", "share of right ones among answers, likewise (bootstrap)"),
    ("recall", "perlabel:Recall", "share of targets that were found, likewise (bootstrap)"),
    ("per_class_f1", "perlabel:PerClassF1", "f1,label=... for each label of the task"),
    ("per_class_precision", "perlabel:PerClassPrecision", "precision,label=... for each label of the task"),
    ("per_class_recall", "perlabel:PerClassRecall", "recall,label=... for each label of the task"),
    (
        "top_k_accuracy",
        "matching:TopKAccuracy",
        "share of right answers among the k best scored (Wilson)",
    ),
    ("text_match", "matching:TextMatch", "share of answers that are a reference, but for what is ignored (bootstrap)"),
    (
        "numeric_match",
        "matching:NumericMatch",
        "share of answers whose number is a reference's, nearly (bootstrap)",
    ),
)
"""With parameters: name, target, summary."""

PROGRAMS = (
    ("pass_at_1", "passing:PassAt", "share of problems that one program solves (Wilson, or bootstrap)"),
    ("pass_at_10", "passing:PassAt10", "share of problems that one of 10 programs solves, unbiased (bootstrap)"),
    ("pass_at_100", "passing:PassAt100", "share of problems that one of 100 programs solves, unbiased (bootstrap)"),
)
"""Of programs: name, target, summary."""

VALUES = (
    ("spearman", "numbers:Spearman", "correlation of the ranks of answers and targets (bootstrap)"),
    ("pearson", "numbers:Pearson", "correlation of answers and targets (bootstrap)"),
    ("mae", "numbers:MeanAbsoluteError", "mean absolute difference of answers and targets (bootstrap)"),
    ("rmse", "numbers:RootMeanSquaredError", "root of the mean squared difference of answers and targets (bootstrap)"),
    ("r2", "numbers:Determination", "share of the targets' variance that answers explain (bootstrap)"),
    ("samples_f1", "labelsets:SamplesF1", "mean of the samples' F1 over their labels (bootstrap)"),
    ("subset_accuracy", "labelsets:SubsetAccuracy", "share of samples with all labels right and no other (Wilson)"),
    ("hamming_loss", "labelsets:HammingLoss", "share of labels that are wrong, over all samples (bootstrap)"),
)
"""Of numbers and sets of labels: name, target, summary."""

ENTITIES = (
    ("entity_f1", "entities:EntityF1", "F1 of entities, all words and the type right, as seqeval's (bootstrap)"),
    ("entity_precision", "entities:EntityPrecision", "share of right ones among entities that were named (bootstrap)"),
    ("entity_recall", "entities:EntityRecall", "share of entities that were found (bootstrap)"),
)
"""Of entities: name, target, summary."""

READ = (
    ("bits_per_byte", "perplexity:BitsPerByte", "bits that a byte of the texts takes (bootstrap)"),
    ("word_perplexity", "perplexity:WordPerplexity", "exp of the nats a word of the texts, by white space (bootstrap)"),
    ("token_perplexity", "perplexity:TokenPerplexity", "exp of the nats a token of the model's own (bootstrap)"),
)
"""Of texts that are predicted: name, target, summary."""


ASKING = (
    (
        "embedding_similarity",
        "similarity:EmbeddingSimilarity",
        "cosine of a model's vectors of answer and reference",
    ),
    (
        "bertscore",
        "bertscore:BertScore",
        "BERTScore of answer and nearest reference, by any encoder, not rescaled (bootstrap)",
    ),
    ("judge", "judge:Judge", "mean rating of answers by a model, 1 to scale (bootstrap)"),
    ("judge_preference", "judge:JudgePreference", "how often a model prefers answer to reference, in both orders"),
    (
        "judge_agreement",
        "judgeworth:JudgeAgreement",
        "kappa or alpha of a judge's ratings and right answers (bootstrap)",
    ),
    (
        "judge_consistency",
        "judgeworth:JudgeConsistency",
        "kappa or alpha of its preferences in both orders (bootstrap)",
    ),
)
"""That ask models: name, target, summary."""


@hookimpl
def register_metrics(register: Register) -> None:
    """Add the metrics."""
    register("accuracy", "harness_metrics.proportion:Accuracy", summary="share of right answers (Wilson)")
    register(
        "exact_match",
        "harness_metrics.proportion:ExactMatch",
        summary="share of extracted answers equal to the reference (Wilson)",
    )
    register("macro_f1", "harness_metrics.f1:MacroF1", summary="mean of the labels' F1 (bootstrap)")
    register("micro_f1", "harness_metrics.f1:MicroF1", summary="F1 of all labels' counts together (bootstrap)")
    register(
        "cross_entropy",
        "harness_metrics.likelihood:CrossEntropy",
        summary="nats the right answer was short of certain, mean (bootstrap)",
    )
    for name, target, summary in (*CHOSEN, *GENERATED, *PROGRAMS, *VALUES, *ENTITIES, *READ, *PARAMETRISED, *ASKING):
        register(name, f"harness_metrics.{target}", summary=summary)
