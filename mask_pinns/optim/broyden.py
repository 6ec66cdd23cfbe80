"""Quasi-Newton methods on a dense inverse Hessian: BFGS, self-scaled BFGS, self-scaled Broyden.

With the step s = -a H g, the change y of the gradient, n parameters, and

    r = 1 / y's,    h = r y'Hy,    b = -a r s'g = r s'H^-1 s,    c = b h - 1 >= 0,    v = r s - Hy / y'Hy

all of them use the update (Broyden's family, theta = 0 BFGS, theta = 1 DFP; tau scales H first)

    H <- (H - Hy (Hy)' / y'Hy + phi y'Hy v v') / tau + r s s',    phi = (1 - theta) / sigma,    sigma = 1 + c theta

and differ in theta and tau: see VARIANTS. H is n x n, so they suit networks of some thousands of parameters.

Sources: Al-Baali, Comput. Optim. Appl. 9 (1998) 191; Al-Baali & Khalfan, J. Oper. Res. Soc. China (2014); for PINNs,
Urban, Stefanou & Pons, J. Comput. Phys. 523 (2025) 113656, eq. 11 (ssbfgs) and 13-23 (ssbroyden).
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from mask_pinns.memory import announce, require_memory
from mask_pinns.optim.line_search import Trial, strong_wolfe
from mask_pinns.registry import lookup

Scaling = tuple[float, float, float]
"""(theta, sigma, tau) of an update."""


def bfgs(h: float, b: float, n: int) -> Scaling:
    """theta = 0, tau = 1."""
    return 0.0, 1.0, 1.0


def ssbfgs(h: float, b: float, n: int) -> Scaling:
    """theta = 0, tau = min(1, 1/b): Al-Baali's scaling."""
    return 0.0, 1.0, min(1.0, 1.0 / b)


def ssbroyden(h: float, b: float, n: int) -> Scaling:
    """Al-Baali & Khalfan's choice, "SSBroyden2":

        rho- = min(1, h (1 - sqrt(c / (1+c)))),    theta = max((rho- - 1) / c, min(1, (1-b) / b))
        tau = min(min(1, 1/b) sigma^(1/(1-n)), sigma)

    Published with 1 / rho- in place of the 1 in theta, and min(1, 1/b) min(sigma^(1/(1-n)), 1/theta) for tau where
    theta > 0: the same, since rho- < 1 only where b > 1/2, which makes (1-b) / b < 1. So theta <= 1 and phi >= 0.
    """
    c = max(b * h - 1.0, sys.float_info.epsilon)  # rounding can make it zero or less
    rho_minus = min(1.0, h / (1.0 + c + math.sqrt(c * (1.0 + c))))  # the same as above, without cancellation
    theta = max((rho_minus - 1.0) / c, min(1.0, (1.0 - b) / b))
    sigma = max(1.0 + c * theta, rho_minus)  # the maximum acts only on rounding errors
    return theta, sigma, min(min(1.0, 1.0 / b) * sigma ** (-1.0 / max(n - 1, 1)), sigma)


VARIANTS: dict[str, Callable[[float, float, int], Scaling]] = {"bfgs": bfgs, "ssbfgs": ssbfgs, "ssbroyden": ssbroyden}


class SelfScaledBroyden(Optimizer):
    """BFGS and its self-scaled variants with a strong Wolfe line search, `max_iter` iterations a step.

    Args:
        params: one group of parameters, all of one dtype on one device.
        lr: length of each line search's first trial; 1 is the quasi-Newton step.
        variant: a key of VARIANTS.
        max_iter: iterations in one step; a step ends early if a line search finds no lower loss.
        max_search: evaluations in one line search.
        c1, c2: constants of the Wolfe conditions, 0 < c1 < c2 < 1.
        initial_scaling: scale the initial H, the identity, by the first curvature: tau = h / sigma.

    The closure must evaluate the same function throughout a step. It is called once at the start of each step, so that
    points or weights may change in between; all decisions depend on its values and gradients. An update with y's <= 0,
    or one that is not finite, is skipped; an H that gives no descent is replaced by the identity.

    State (of the first parameter): `H` (n, n), and the numbers of `updates` and `evaluations`. Memory for two matrices
    is needed: a checkpoint, and the test after a change of points, take a copy of H.

    Raises:
        ValueError: an option out of range, more than one group, or too little memory.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1.0,
        variant: str = "ssbroyden",
        max_iter: int = 20,
        max_search: int = 25,
        c1: float = 1e-4,
        c2: float = 0.9,
        initial_scaling: bool = True,
    ) -> None:
        lookup(VARIANTS, variant, "variant of SelfScaledBroyden")
        for name, number in (("max_iter", max_iter), ("max_search", max_search)):
            if number < 1:
                raise ValueError(f"{name} is {number}; it must be 1 or more")
        if not lr > 0:
            raise ValueError(f"lr is {lr}; it must be a positive number")
        if not 0 < c1 < c2 < 1:
            raise ValueError(f"c1 is {c1} and c2 is {c2}; expected 0 < c1 < c2 < 1")
        search = {"max_search": max_search, "c1": c1, "c2": c2}
        defaults = {"lr": lr, "variant": variant, "max_iter": max_iter, **search, "initial_scaling": initial_scaling}
        super().__init__(params, defaults)
        if len(self.param_groups) != 1:
            raise ValueError(f"{len(self.param_groups)} parameter groups; SelfScaledBroyden takes one")
        self._require_memory()

    @torch.no_grad()
    def step(self, closure: Callable[[], Tensor]) -> Tensor:  # type: ignore[override]
        """Up to `max_iter` iterations. Returns the loss at their start."""
        closure = torch.enable_grad()(closure)
        loss = closure()
        here = Trial(0.0, float(loss.detach()), math.nan, self._gradient())
        for _ in range(self.param_groups[0]["max_iter"] if math.isfinite(here.value) else 0):
            accepted = self._iterate(closure, here)
            if accepted is here:
                break
            here = accepted
        return loss

    def points_changed(self) -> None:
        """Keeps H, symmetrized, if it is still positive definite (by Cholesky); else starts again from the identity."""
        state = self.state[self._parameters[0]]
        if not state:
            return
        state["H"] = (state["H"] + state["H"].T).mul_(0.5)
        if torch.linalg.cholesky_ex(state["H"])[1]:
            self.state.clear()

    # ---- one iteration --------------------------------------------------------------------------------------

    def _iterate(self, closure: Callable[[], Tensor], here: Trial) -> Trial:
        """Direction, line search, update. Leaves the parameters at the trial it returns: `here` if none is lower."""
        old, group = here.gradient, self.param_groups[0]
        direction, slope = self._descent(old)
        if not slope < 0:  # the gradient is zero, or not finite
            return here
        origin = torch.cat([p.reshape(-1) for p in self._parameters])

        def evaluate(t: float) -> Trial:
            self._set_parameters(origin.add(direction, alpha=t))
            loss, gradient = closure(), self._gradient()
            value, slope = torch.stack([loss.to(gradient), gradient @ direction]).tolist()
            return Trial(t, value, slope, gradient)

        start = Trial(0.0, here.value, slope, old)
        updates = self._curvature()["updates"]
        first = group["lr"] * (1.0 if updates else min(1.0, 1.0 / float(old.abs().sum())))
        accepted, evaluations = strong_wolfe(evaluate, start, first, group["c1"], group["c2"], group["max_search"])
        self._curvature()["evaluations"] += evaluations
        self._set_parameters(origin.add(direction, alpha=accepted.t))  # the last trial need not be the accepted one
        if accepted is start:
            return here
        self._update(direction * accepted.t, accepted.gradient - old, -accepted.t * accepted.t * slope)
        return accepted

    def _descent(self, gradient: Tensor) -> tuple[Tensor, float]:
        """The direction -H g and the slope along it; an H that gives no descent is replaced by the identity."""
        state = self._curvature()
        direction = (state["H"] @ gradient).neg_()
        slope = float(gradient @ direction)
        if slope < 0 or not state["updates"]:
            return direction, slope
        self.state.clear()
        return self._descent(gradient)

    def _update(self, s: Tensor, y: Tensor, sBs: float) -> None:
        """The update, in two passes over H: one product Hy, one symmetric change of rank three in place."""
        group, state = self.param_groups[0], self._curvature()
        u = state["H"] @ y
        ys, q = torch.stack([y @ s, y @ u]).tolist()
        if not (0 < ys < math.inf and 0 < q < math.inf and sBs > 0):
            return
        r, h = 1.0 / ys, q / ys
        theta, sigma, tau = VARIANTS[group["variant"]](h, r * sBs, len(s))
        if group["initial_scaling"] and not state["updates"]:
            tau = h / sigma
        phi = (1.0 - theta) / sigma
        # Each term is a signed square w w', so that H stays symmetric in spite of rounding.
        v = (s * r).sub_(u, alpha=1.0 / q).mul_(math.sqrt(phi * q / tau))
        w = torch.stack([u.mul_((q * tau) ** -0.5), v, s * math.sqrt(r)], dim=1)
        state["H"].addmm_(w * w.new_tensor([-1.0, 1.0, 1.0]), w.T, beta=1.0 / tau)
        state["updates"] += 1

    # ---- parameters and state -------------------------------------------------------------------------------

    @property
    def _parameters(self) -> list[Tensor]:
        return self.param_groups[0]["params"]

    def _gradient(self) -> Tensor:
        """The gradient of all parameters as one vector (n,)."""
        gradients = (torch.zeros_like(p) if p.grad is None else p.grad for p in self._parameters)
        return torch.cat([g.reshape(-1) for g in gradients])

    def _set_parameters(self, values: Tensor) -> None:
        """Sets all parameters from one vector (n,)."""
        for p, part in zip(self._parameters, values.split([p.numel() for p in self._parameters]), strict=True):
            p.copy_(part.view_as(p))

    def _curvature(self) -> dict[str, Any]:
        """The state; a new one, with the identity for H, if there is none."""
        p = self._parameters[0]
        if not self.state[p]:
            n = self._require_memory()
            announce(n * n * p.itemsize, p.device, f"the inverse Hessian of {n:,} parameters")
            self.state[p] |= {"H": torch.eye(n, dtype=p.dtype, device=p.device), "updates": 0, "evaluations": 0}
        return self.state[p]

    def _require_memory(self) -> int:
        """The number of parameters, if their H and a copy of it fit. Raises ValueError if they do not."""
        p, n = self._parameters[0], sum(p.numel() for p in self._parameters)
        what = f"the inverse Hessian of {n:,} parameters (with a working copy)"
        require_memory(2 * n * n * p.itemsize, p.device, what, "take a smaller width, or lbfgs")
        return n
