"""Explains the statistics of features, with their formulas, for TensorBoard and the report.

A quantity belongs to a stage (`probes.py`). Its scalar is `<stage>/<quantity>/<layer>` in TensorBoard, its column
`<stage>_<quantity>` in drift.csv.
"""

from __future__ import annotations

from mask_pinns.callbacks.features.distributions import SAMPLE_SIZE

STAGES = {
    "preactivation": "z = W h + b, the input of an activation; with layernorm and batchnorm the normalized value, for "
    "batchnorm by mean and variance over the probe points, not by its running averages",
    "activation": "sigma(z), before it is multiplied by the mask",
    "feature": "h = sigma(z) m(z), the output of the layer",
    "block_output": "the output of a block: with a skip connection, its input plus the feature of its layers",
    "feature_<m>": "the derivative of h by the coordinates, <m> as the problem declares it: feature_tt is d2h/dt2. The "
    "physics loss is computed from these",
    "mask": "m(z) = 1 - exp(-(alpha z)^2), with one alpha for each unit",
    "gradient": "dL/dW, W the weight of the layer, L the loss at fixed probe points with the given loss weights",
}

GENERAL_QUANTITIES = {
    "mean": "the mean over all probe points and units",
    "std": "the standard deviation, the feature spread: sqrt(E[(x - mean)^2])",
    "skewness": "E[(x - mean)^3] / std^3; 0 for a symmetric distribution",
    "kurtosis": "E[(x - mean)^4] / std^4 - 3; 0 for a normal distribution, large with heavy tails",
    "p01, p25, median, p75, p99": "quantiles: 1 %, 25 %, 50 %, 75 % and 99 % of the entries lie below. They and the "
    f"drift use all entries up to {SAMPLE_SIZE:,} (256 probes of 256 units), else about as many at equal strides",
    "drift": "1-Wasserstein distance of the distribution to the one at the start of training, divided by the standard "
    "deviation at the start: at 1 it has moved by its own spread; unknown (NaN) if all entries were equal at the start",
    "drift_step": "the same distance to the distribution in the previous recording",
}

STAGE_QUANTITIES = {
    "preactivation/saturation": "the share of entries on a flat tail of the activation, |sigma'(z)| < 0.05 and "
    "|sigma''(z)| < 0.1; zero for sin and identity, which have no flat tail",
    "feature/effective_rank": "exp(-sum p log p), p the singular values of the centred features divided by their sum: "
    "the number of directions that they use, at most the number of units",
    "feature/dead": "the share of units that are almost constant over the domain: spread at most 1e-3 of that of all",
    "mask/openness": "the mean of m(z): 0 is closed, 1 is open, as without a mask",
    "mask/closed": "the share of units whose mask is closed everywhere: m(z) < 0.01 at every probe point",
    "mask/alpha_mean, mask/alpha_std, mask/alpha_min, mask/alpha_max": "mean, standard deviation, minimum and maximum "
    "of |alpha| over the units (the sign of alpha has no effect)",
    "gradient/norm": "the Frobenius norm of dL/dW",
    "gradient/variance": "the variance of the entries of dL/dW",
}


def explained_quantities() -> set[tuple[str, str]]:
    """Returns every (stage, quantity) that is explained above, with stage "" for quantities of any stage."""
    any_stage = {("", name) for key in GENERAL_QUANTITIES for name in key.split(", ")}
    pairs = [name.split("/") for key in STAGE_QUANTITIES for name in key.split(", ")]
    return any_stage | {(stage, name) for stage, name in pairs}


def as_markdown() -> str:
    """Returns the tables as one page of Markdown."""
    parts = [
        "These are statistics of every hidden layer, recorded at fixed probe points of the domain at intervals of "
        "training. Scalars are named `<stage>/<quantity>/<layer>`. The page *custom scalars* shows all layers of a "
        "quantity in one chart.",
        _table("stage", STAGES),
        _table("quantity of any stage except mask and gradient", GENERAL_QUANTITIES),
        _table("quantity of one stage", STAGE_QUANTITIES),
    ]
    return "\n\n".join(parts)


def _table(head: str, rows: dict[str, str]) -> str:
    lines = [f"| {head} | meaning |", "|---|---|"]
    return "\n".join(lines + [f"| {name} | {text.replace('|', '&#124;')} |" for name, text in rows.items()])
