"""The network's two ends, embeddings and exact conditions: jets against autograd, what holds, what is refused."""

from __future__ import annotations

from math import pi
from pathlib import Path

import lightning as L
import pytest
import torch
from conftest import CALM, small_network

from datamodules import PointsDataModule
from mask_pinns import NETWORKS, Box, Condition, Dirichlet, Initial, MaskPINN, Neumann, Objective, Periodic, Problem
from mask_pinns.differentiation import by_autograd, by_jet
from mask_pinns.ends import make_ends
from mask_pinns.functions import FUNCTIONS, Number
from mask_pinns.jet import Derivatives, Jet
from mask_pinns.problems import PROBLEMS
from mask_pinns.problems.loading import make_problem

EMBEDDINGS = {
    "none": {},
    "normalize": {"normalize": True},
    "scale": {"scale": {"t": 3.0}},
    "periodic": {"periodic": ["y"], "harmonics": 2},
    "fourier": {"fourier": 4, "fourier_std": 0.7},
    "all": {"periodic": ["y"], "normalize": True, "fourier": 3, "fourier_trainable": True,
            "fourier_activation": "tanh"},
}  # fmt: skip
EXACT = {"none": (), "initial": ("initial",), "all": "all"}


class Waves(Problem):
    """Two fields in a box that is nowhere alike, targets that depend on everything and agree where they meet."""

    domain = Box(t=(0.5, 2.0), x=(-1.0, 2.0), y=(0.0, 3.0))
    fields = ("u", "v")
    derivatives = ("tt", "xx", "yy")

    @property
    def conditions(self):
        return (
            Initial(u=lambda p: self.u(p), u_t=lambda p: -torch.exp(-p.t) * p.x * torch.sin(2 * pi * p.y / 3), v=1.5),
            Dirichlet("x", u=lambda p: self.u(p), v=lambda p: 1.5 + (p.t - 0.5) * p.x / (2 + torch.cos(p.t))),
            Periodic("y", order=1),
        )

    @staticmethod
    def u(p):
        return p.x * torch.exp(-p.t) * torch.sin(2 * pi * p.y / 3)

    def residual(self, p, u, v):
        return u.tt - u.xx - u.yy, v.tt - v.xx - u


def build(name: str = "masked", embedding: str = "none", exact="all", problem: Problem | None = None):
    """A small network with ends, biases and alphas and frequencies not all alike."""
    problem, options = problem or Waves(), {"width": 6, "blocks": 1, "activation": "tanh"}
    if exact == "all" and "y" not in EMBEDDINGS[embedding].get("periodic", ()):
        exact = [c.name for c in problem.terms[1:] if not isinstance(c, Periodic)]
    torch.manual_seed(0)
    network = make_ends({"name": name, **options, **CALM.get(name, {})}, problem, EMBEDDINGS[embedding], exact)
    with torch.no_grad():
        for p in network.parameters():
            p += 0.2 * torch.randn_like(p)
    return network


def inside(box: Box, n: int, seed: int = 1) -> torch.Tensor:
    unit = torch.rand(n, len(box), generator=torch.Generator().manual_seed(seed))
    return torch.tensor(box.low) + (torch.tensor(box.high) - torch.tensor(box.low)) * unit


@pytest.mark.parametrize("exact", EXACT)
@pytest.mark.parametrize("embedding", EMBEDDINGS)
@pytest.mark.parametrize("name", NETWORKS)
def test_jets_equal_nested_autograd(float64, name: str, embedding: str, exact: str) -> None:
    network, box = build(name, embedding, EXACT[exact]).eval(), Waves.domain
    x = inside(box, 5)
    derivatives = Derivatives(("xxxx", "ttx", "xy"), {"+": (("tt", 1.0), ("xx", -2.0), ("yyy", 0.5))})
    jet, reference = (engine(network, x, box.names, derivatives) for engine in (by_jet, by_autograd))
    torch.testing.assert_close(jet.value, network(x), rtol=1e-14, atol=1e-14)
    for m in derivatives.indices:
        error = (jet[m] - reference[m]).norm()
        assert error <= 1e-10 * reference[m].norm(), m


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_have_their_own_derivatives(float64, name: str) -> None:
    class Applied(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return getattr(torch, name)(x)

    x, derivatives = torch.rand(7, 1) + 0.3, Derivatives(("xxxx",))
    got = getattr(torch, name)(Number(Jet.of_coordinates(x, "x", derivatives))).jet
    for m, expected in by_autograd(Applied(), x, "x", derivatives).streams.items():
        torch.testing.assert_close(torch.zeros_like(x) if got[m] is None else got[m], expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: 2 - x / 3 + 1 / x - (-x) ** 3,
        lambda x: x**0.5 / (1 + x**2) - x * x.exp(),
        lambda x: torch.mul(x, 2.0) + torch.full_like(x, 3.0) - torch.ones_like(x) + torch.zeros_like(x) + x**0,
        lambda x: 1 / torch.cosh(x - 0.5) ** 2 + torch.pow(x, 3) - torch.div(x, 4.0) + torch.sub(x, 1.0),
    ],
)
def test_arithmetic_of_numbers(float64, function) -> None:
    class Applied(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return function(x)

    x, derivatives = torch.rand(7, 1) + 0.3, Derivatives(("xxxx",))
    got = function(Number(Jet.of_coordinates(x, "x", derivatives))).jet
    for m, expected in by_autograd(Applied(), x, "x", derivatives).streams.items():
        stream = torch.zeros_like(x) if got[m] is None else got[m].expand(7, 1)
        torch.testing.assert_close(stream, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("embedding", ["periodic", "all"])
def test_periodic_to_rounding_with_its_derivatives(embedding: str, dtype: torch.dtype) -> None:
    """Built in float32, whatever it is cast to: the period is exact in the dtype of the points."""
    network = build("masked", embedding, ()).to(dtype)
    low = inside(Waves.domain, 20).to(dtype)
    low[:, 2] = 0.0
    high = low.clone()
    high[:, 2] = 3.0
    derivatives = Derivatives(("yyy", "txy"))
    a, b = (by_jet(network, x, "txy", derivatives) for x in (low, high))
    for m in derivatives.indices:
        assert (a[m] - b[m]).abs().max() <= 100 * torch.finfo(dtype).eps * a[m].abs().max(), m
    middle = low.clone()
    middle[:, 2] = 1.3
    assert (network(low) - network(middle)).abs().max() > 1e-3, "it does depend on y"


def squares(problem: Problem, network) -> dict[str, torch.Tensor]:
    """Mean squares of all terms, as the soft loss sees them."""
    return Objective(problem).loss(network, PointsDataModule(problem, 200).draw(0))[1]


def with_all_exact(problem: Problem):
    """The network with every condition exact, None and the refusal where one cannot be."""
    periodic = [c.across[0] for c in problem.terms if isinstance(c, Periodic)]
    torch.manual_seed(0)
    try:
        return make_ends("masked", problem, {"periodic": periodic}, "all"), ""
    except ValueError as error:
        return None, str(error)


@pytest.mark.parametrize("name", PROBLEMS)
def test_conditions_of_the_problems_hold_to_rounding(float64, name: str) -> None:
    """Of every problem, those entered later too, unless the refusal names the condition that cannot hold."""
    problem = make_problem(name)
    conditions = {c.name for c in problem.terms[1:]}
    network, refusal = with_all_exact(problem)
    if network is None:
        assert name not in ("wave", "burgers", "helmholtz", "convection"), refusal
        assert any(f"condition {c!r}" in refusal for c in conditions), refusal
        return
    assert set(network.holds) == conditions
    terms = squares(problem, network)
    assert max(v for k, v in terms.items() if not k.startswith("pde")) < 1e-27, terms
    assert terms["pde"] > 1e-6, "only the conditions hold"


@pytest.mark.parametrize("embedding", ["periodic", "all"])
def test_conditions_with_functions_as_targets_hold(float64, embedding: str) -> None:
    terms = squares(Waves(), build("masked", embedding))
    held = [v for k, v in terms.items() if not k.startswith("pde")]
    assert len(held) == 3 + 2 + 4
    assert max(held) < 1e-26, terms


def test_the_ansatz_by_hand(float64) -> None:
    """Wave: u = sin(pi x) + tanh(t/2)^2 4 x (1 - x) N with exact_time 2; and the other field conditions of Burgers."""
    wave = make_problem("wave")
    network = make_ends({"name": "masked", "width": 5, "blocks": 1}, wave, exact="all", exact_time=2.0)
    x, t = inside(wave.domain, 30).T
    n = network.core(torch.stack([x, t], 1))[:, 0]
    expected = torch.sin(pi * x) + torch.tanh(t / 2) ** 2 * 4 * x * (1 - x) * n
    torch.testing.assert_close(network(torch.stack([x, t], 1))[:, 0], expected, rtol=1e-14, atol=1e-14)


def test_one_wall_alone(float64) -> None:
    class Left(Problem):
        domain = Box(x=(0.0, 2.0))
        derivatives = ("xx",)
        conditions = (Dirichlet("x", u=3.0, side="low"), Neumann("x", u=0.0, side="high"))

        def residual(self, p, u):
            return u.xx + 1.0

    network = make_ends("masked", Left(), exact="dirichlet_x")
    x = torch.linspace(0, 2, 5)[:, None]
    torch.testing.assert_close(network(x), 3 + x / 2 * network.core(x))
    assert [t.name for t in Objective(Left(), exact=network.holds).terms] == ["pde", "neumann_x"]


def test_normalized_inputs_fill_the_box_from_minus_one_to_one() -> None:
    network = make_ends("mlp", Waves(), {"normalize": True})
    corners = torch.tensor([[0.5, -1.0, 0.0], [2.0, 2.0, 3.0], [1.25, 0.5, 1.5]])
    torch.testing.assert_close(
        network.embedding(Jet.constant(corners)).value, torch.tensor([[-1.0], [1], [0]]) + torch.zeros(3, 3)
    )


def test_scales_stretch_their_coordinates() -> None:
    x = torch.tensor([[0.5, -1.0, 3.0]])
    raw = make_ends("mlp", Waves(), {"scale": {Waves.domain.names[0]: 4.0}})
    torch.testing.assert_close(raw.embedding(Jet.constant(x)).value, torch.tensor([[2.0, -1.0, 3.0]]))
    mapped = make_ends("mlp", Waves(), {"scale": {Waves.domain.names[0]: 4.0}, "normalize": True})
    plain = make_ends("mlp", Waves(), {"normalize": True})
    torch.testing.assert_close(
        mapped.embedding(Jet.constant(x)).value,
        plain.embedding(Jet.constant(x)).value * torch.tensor([4.0, 1.0, 1.0]),
    )


def test_first_scale_multiplies_the_first_layer_alone() -> None:
    weights = []
    for scale in (1.0, 4.0):
        torch.manual_seed(0)
        weights.append(NETWORKS["masked"](2, 1, width=5, blocks=1, first_scale=scale).state_dict())
    for key, w in weights[0].items():
        torch.testing.assert_close(weights[1][key], w * (4 if key == "input.0.weight" else 1))


def test_first_bias_spreads_the_first_layers_phases_alone() -> None:
    torch.manual_seed(0)
    state = NETWORKS["masked"](2, 1, width=500, blocks=1, first_bias=pi).state_dict()
    first = state["input.0.bias"]
    assert first.abs().max() <= pi
    torch.testing.assert_close(first.std(), torch.tensor(pi / 3**0.5), rtol=0.1, atol=0)
    assert all(not b.any() for k, b in state.items() if k.endswith("bias") and k != "input.0.bias")
    with pytest.raises(ValueError, match="first_bias is -1"):
        NETWORKS["masked"](2, 1, first_bias=-1.0)


# ---- what leaves the loss -----------------------------------------------------------------------------------


def test_terms_that_hold_leave_loss_and_points() -> None:
    model = MaskPINN("convection", weights={"periodic_x": 10.0, "initial": 2.0}, embedding={"periodic": ["x"]})
    assert model.objective.exact == ("periodic_x",)
    data = PointsDataModule(model.problem, {"pde": 30, "periodic_x": 7}, exact=model.objective.exact)
    points = data.draw(0)
    assert list(points) == list(data.counts) == ["pde", "initial"]
    loss, terms = model.objective.loss(model.network, points)
    assert list(terms) == ["pde", "initial"]
    torch.testing.assert_close(loss, terms["pde"] + 2 * terms["initial"])
    model.objective.check(model.network, points)
    assert [t.name for t in MaskPINN("wave", exact=["initial"]).objective.terms] == ["pde", "dirichlet_x"]


def test_without_options_the_network_is_as_it_was() -> None:
    torch.manual_seed(0)
    plain = small_network("masked", 2, 1)
    model = MaskPINN("wave", {"name": "masked", "width": 7, "blocks": 2}, embedding={"periodic": [], "fourier": 0})
    assert list(model.network.state_dict()) == list(plain.state_dict())
    assert type(model.network) is type(plain)
    assert list(model.network.hidden()) == list(plain.hidden())


def test_layers_keep_their_names_behind_an_embedding() -> None:
    assert list(build("masked", "all").hidden()) == ["input", "block1.1", "block1.2"]


def test_checkpoints_bring_the_ends_back(tmp_path: Path) -> None:
    options = {"embedding": {"periodic": ["x"], "fourier": 4, "fourier_std": 2.0}, "exact": ["all"], "exact_time": 0.5}
    torch.manual_seed(0)
    model = MaskPINN("convection", {"name": "masked", "width": 6, "blocks": 1}, **options)
    trainer = L.Trainer(max_steps=2, max_epochs=-1, inference_mode=False, logger=False, enable_progress_bar=False,
                        enable_checkpointing=False, enable_model_summary=False, accelerator="cpu")  # fmt: skip
    trainer.fit(model, PointsDataModule(model.problem, 30, exact=model.objective.exact))
    trainer.save_checkpoint(tmp_path / "a.ckpt")
    again = MaskPINN.load_from_checkpoint(tmp_path / "a.ckpt", weights_only=True)
    x = inside(model.problem.domain, 9)
    assert torch.equal(again(x), model(x))
    assert again.objective.exact == ("initial", "periodic_x")
    assert "network.embedding.fourier.frequencies" in again.state_dict(), "fixed frequencies are drawn: they are saved"


def test_the_published_kdv_network_has_as_many_parameters() -> None:
    """Frequencies 3 x 64; two blocks of two masked layers 128 x (128 + bias + alpha); output 128 + 1."""

    class KdV(Problem):
        domain = Box(x=(-1.0, 1.0), t=(0.0, 1.0))
        derivatives = ("t", "xxx")
        conditions = (Initial(u=lambda p: torch.cos(pi * p.x)), Periodic("x", order=2))

        def residual(self, p, u):
            return u.t + u * u.x + 0.022**2 * u.xxx

    model = MaskPINN(
        KdV(),
        {"name": "masked", "width": 128, "blocks": 2, "activation": "tanh", "input_layer": False},
        embedding={"periodic": "x", "fourier": 64, "fourier_std": 2.0, "fourier_trainable": True,
                   "fourier_activation": "tanh"},
    )  # fmt: skip
    assert sum(p.numel() for p in model.network.parameters()) == 3 * 64 + 4 * 128 * 130 + 129 == 66_881
    x = torch.tensor([[0.3, 0.7]])
    inputs = model.network.embedding[0](Jet.constant(x)).value[0]
    torch.testing.assert_close(inputs, torch.tensor([0.7, torch.cos(pi * x[0, 0]), torch.sin(pi * x[0, 0])]))
    assert list(model.network.hidden()) == ["block1.1", "block1.2", "block2.1", "block2.2"]


# ---- refusals -----------------------------------------------------------------------------------------------


class Refused(Problem):
    """Conditions that cannot be exact, or not together."""

    domain = Box(x=(-1.0, 1.0), t=(0.0, 1.0))
    derivatives = ("t", "xx")
    conditions = (
        Initial(u=lambda p: p.x**2 * torch.cos(pi * p.x)),
        Initial(name="velocity", u_t=0.0),
        Initial(name="jump", u=lambda p: torch.abs(p.x)),
        Initial(name="branch", u=lambda p: p.x if p.x > 0 else -p.x),
        Initial(name="table", u=lambda p: p.tensor[:, 0]),
        Dirichlet("x", u=0.0),
        Neumann("x", u=0.0),
        Periodic("x", order=1),
        Periodic("x", name="values"),
        Condition("middle", at={"x": 0.0}, residual=lambda p, u: u - 1.0),
    )

    def residual(self, p, u):
        return u.t - u.xx


@pytest.mark.parametrize(
    ("exact", "message"),
    [
        (["velocity"], "condition 'velocity' sets u_t; exact are u, or u and u_t"),
        (["jump"], "condition 'jump' cannot be exact: the target of u .* 'abs' are not known"),
        (["branch"], "condition 'branch' cannot be exact"),
        (["table"], r"condition 'table' cannot be exact.*p\.tensor"),
        (["neumann_x"], "condition 'neumann_x' of Refused, a Neumann, cannot be made exact"),
        (["periodic_x"], "'periodic_x' .* embed its coordinate: --periodic x"),
        (["middle"], "condition 'middle' of Refused, a Condition, cannot be made exact"),
        (["initial", "dirichlet_x"], "'initial' of Refused cannot be exact together with 'dirichlet_x': off by 1"),
        (["inital"], "unknown condition of Refused 'inital'; did you mean 'initial'"),
    ],
)
def test_what_cannot_be_exact_is_refused_by_name(exact: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_ends("masked", Refused(), exact=exact)


def test_initial_values_that_are_not_periodic_contradict_the_embedding() -> None:
    """x^2 cos(pi x) has a kink at the seam: values match there, slopes do not."""
    with pytest.raises(ValueError, match="'periodic_x' of Refused cannot be exact together with 'initial'"):
        make_ends("masked", Refused(), {"periodic": ["x"]}, ["initial"])
    assert make_ends("masked", Refused(), {"periodic": ["x"]}).holds == ("periodic_x", "values")


@pytest.mark.parametrize(
    ("embedding", "message"),
    [
        ({"periodic": ["z"]}, "no coordinate 'z'; it has x, t"),
        ({"periodic": ["x", "x"]}, "'x' twice"),
        ({"periodic": "x", "harmonics": 0}, "harmonics is 0"),
        ({"scale": {"q": 2.0}}, "no coordinate 'q'"),
        ({"scale": {"t": 0.0}}, "scale of 't' is 0.0"),
        ({"scale": {"t": float("inf")}}, "scale of 't' is inf"),
        ({"periodic": "x", "scale": {"x": 2.0}}, "it is periodic, take more harmonics"),
        ({"fourier": -1}, "fourier -1"),
        ({"fourier": 3, "fourier_std": 0.0}, "fourier_std 0.0"),
        ({"fourier": 3, "fourier_activation": "tnh"}, "did you mean 'tanh'"),
        ({"peridic": ["x"]}, "did you mean 'periodic'"),
    ],
)
def test_embeddings_that_cannot_be(embedding, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_ends("masked", make_problem("wave"), embedding)


def test_other_refusals() -> None:
    wave = make_problem("wave")
    with pytest.raises(ValueError, match="exact_time is 0"):
        make_ends("masked", wave, exact="all", exact_time=0.0)
    with pytest.raises(ValueError, match="Linear is not made of layers that act on jets"):
        make_ends(torch.nn.Linear(2, 1), wave, exact="all")
    with pytest.raises(ValueError, match="takes as many inputs as its width, 64; it gets 2"):
        make_ends({"name": "masked", "input_layer": False}, wave)


def test_a_module_of_ones_own_between_the_ends(float64) -> None:
    network = make_ends(small_network("residual", 3, 1), make_problem("wave"), {"periodic": ["x"]}, ["initial"])
    assert network(torch.rand(4, 2)).shape == (4, 1)


# ---- compiled -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("backend", "problem", "embedding"),
    [("eager", "burgers", {"normalize": True, "fourier": 3}),
     pytest.param("inductor", Waves(), EMBEDDINGS["all"], marks=pytest.mark.slow)],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::UserWarning:torch.*")
def test_compiled_in_one_graph_it_is_the_same(float64, backend: str, problem, embedding) -> None:
    model = MaskPINN(problem, {"name": "masked", "width": 6, "blocks": 0}, embedding=embedding, exact="all")
    network, loss = model.network, model.objective.loss
    points = PointsDataModule(model.problem, 20, exact=model.objective.exact).draw(0)
    compiled = torch.compile(loss, fullgraph=True, dynamic=False, backend=backend)
    found = []
    for function in (loss, compiled):
        value, _ = function(network, points)
        found.append((value.detach(), torch.autograd.grad(value, list(network.parameters()))))
    torch.testing.assert_close(found[1], found[0], rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize(
    ("problem", "held", "soft"),
    [
        ("wave", {"initial", "dirichlet_x"}, set()),
        ("convection", {"initial", "periodic_x"}, set()),
        ("kdv", {"initial", "periodic_x"}, set()),
        (
            "allen_cahn",
            {"initial", "periodic_x"},
            set(),
        ),  # the start's slope jumps; extended
        ("helmholtz", {"boundary"}, set()),
    ],
)
def test_auto_makes_exact_what_can_be(problem: str, held: set[str], soft: set[str]) -> None:
    module = MaskPINN(problem, {"name": "masked", "width": 4}, embedding={"periodic": ["auto"]}, exact="auto")
    assert set(module.objective.exact) == held
    assert {term.name for term in module.objective.terms} == {"pde"} | soft


def test_auto_leaves_soft_what_contradicts_or_cannot_be_exact() -> None:
    class Mixed(Problem):
        domain = Box(x=(0.0, 1.0), t=(0.0, 1.0))
        derivatives = ("t", "xx")
        conditions = (Initial(u=1.0), Dirichlet("x", u=0.0, side="low"), Neumann("x", u=0.0, side="high"))

        def residual(self, p, u):
            return u.t - u.xx

    module = MaskPINN(
        Mixed(), {"name": "masked", "width": 4}, exact="auto", weights={"conditions": 7.0, "neumann_x": 2.0}
    )
    assert module.objective.exact == ("initial",), "the wall's value contradicts the initial one"
    points = PointsDataModule(module.problem, 5, exact=module.objective.exact).draw(0)
    weights = {name: r.weight for name, r in module.objective.residuals(module.network, points).items()}
    assert weights == {"pde": 1.0, "dirichlet_x": 7.0, "neumann_x": 2.0}
