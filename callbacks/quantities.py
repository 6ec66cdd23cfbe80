"""What the statistics of features are: each quantity's formula in words, one table for TensorBoard and the report.

A quantity belongs to a stage (`probes.py`): its scalar is `<stage>/<quantity>/<layer>` in TensorBoard, its column
`<stage>_<quantity>` in drift.csv.
"""

from __future__ import annotations

from callbacks.distributions import SAMPLE

STAGES = {
    "preactivation": "z = W h + b, what comes into an activation; with layernorm and batchnorm the normalized value, "
    "batchnorm's by mean and variance over the probe points, not by its running averages",
    "activation": "sigma(z), before the mask multiplies it",
    "feature": "h = sigma(z) m(z), what leaves the layer",
    "block_output": "what leaves a block: its input plus its layers' feature, where a skip leads around them",
    "feature_<m>": "the derivative of h by the coordinates, <m> as the problem declares it: feature_tt is d2h/dt2. The "
    "physics loss is made of these",
    "mask": "m(z) = 1 - exp(-(alpha z)^2), one alpha per unit",
    "gradient": "dL/dW of the weight W into the layer, L the loss at fixed probe points by the given weights",
}

OF_ANY_STAGE = {
    "mean": "the mean over all probe points and units",
    "std": "the standard deviation, the feature spread: sqrt(E[(x - mean)^2])",
    "skewness": "E[(x - mean)^3] / std^3; 0 for a symmetric distribution",
    "kurtosis": "E[(x - mean)^4] / std^4 - 3; 0 for a normal distribution, large with heavy tails",
    "p01, p25, median, p75, p99": "quantiles: 1 %, 25 %, 50 %, 75 % and 99 % of the entries lie below; of all entries "
    f"up to {SAMPLE:,} (256 probes of 256 units), else of about as many at equal strides; drift is too",
    "drift": "1-Wasserstein distance of the distribution to the one at the start of training, in units of the standard "
    "deviation at the start: 1 is a move as far as the features were spread; unknown (NaN) where they were all alike",
    "drift_step": "the same distance to the distribution at the last look",
}

OF_ONE_STAGE = {
    "preactivation/saturation": "the share of entries on a flat tail of the activation, |sigma'(z)| < 0.05 and "
    "|sigma''(z)| < 0.1; for sin and identity, which have none, zero",
    "feature/effective_rank": "exp(-sum p log p), p the singular values of the centred features divided by their sum: "
    "how many directions they use, at most the number of units",
    "feature/dead": "the share of units that hardly move over the domain: spread below 1e-3 of that of all",
    "mask/openness": "the mean of m(z): 0 shut, 1 as if there were no mask",
    "mask/closed": "the share of units whose mask is shut everywhere: m(z) < 0.01 at every probe point",
    "mask/alpha_mean, mask/alpha_std, mask/alpha_min, mask/alpha_max": "of |alpha| over the units (its sign is "
    "irrelevant)",
    "gradient/norm": "the Frobenius norm of dL/dW",
    "gradient/variance": "the variance of the entries of dL/dW",
}


def explained() -> set[tuple[str, str]]:
    """Every (stage, quantity) that is explained above; stage "" for those of any stage."""
    any_stage = {("", name) for key in OF_ANY_STAGE for name in key.split(", ")}
    pairs = [name.split("/") for key in OF_ONE_STAGE for name in key.split(", ")]
    return any_stage | {(stage, name) for stage, name in pairs}


def as_markdown() -> str:
    """The tables as one page of text."""
    parts = [
        "Statistics of every hidden layer at fixed probe points of the domain, at intervals of training. Scalars are "
        "named `<stage>/<quantity>/<layer>`; the page *custom scalars* shows all layers of a quantity in one chart.",
        _table("stage", STAGES),
        _table("quantity of any stage but mask and gradient", OF_ANY_STAGE),
        _table("quantity of one stage", OF_ONE_STAGE),
    ]
    return "\n\n".join(parts)


def _table(head: str, rows: dict[str, str]) -> str:
    lines = [f"| {head} | what it is |", "|---|---|"]
    return "\n".join(lines + [f"| {name} | {text.replace('|', '&#124;')} |" for name, text in rows.items()])
