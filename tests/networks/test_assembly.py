"""Networks with an embedding and exact conditions: jets equal autograd, checkpoints restore them, they compile."""

from __future__ import annotations

from pathlib import Path

import lightning as L
import pytest
import torch
from helpers import small_network
from waves import EMBEDDINGS, EXACT, Waves, build, inside

from mask_pinns import NETWORKS, Box, Dirichlet, Disk, MaskPINN, Neumann, Problem, Robin
from mask_pinns.datamodules import PointsDataModule
from mask_pinns.jets import Derivatives
from mask_pinns.jets.engines import by_autograd, by_jet
from mask_pinns.networks.assembly import assemble
from mask_pinns.problems.loading import make_problem

CASES = [
    (name, embedding, list(EXACT)[(i + j) % len(EXACT)])
    for i, name in enumerate(NETWORKS) for j, embedding in enumerate(EMBEDDINGS)
]  # fmt: skip
"""Every pair of a network, an embedding and exact conditions."""


@pytest.mark.parametrize(("name", "embedding", "exact"), CASES)
def test_jets_equal_nested_autograd(float64, name: str, embedding: str, exact: str) -> None:
    network, box = build(name, embedding, EXACT[exact]).eval(), Waves.domain
    x = inside(box, 5)
    derivatives = Derivatives(("xxxx", "ttx", "xy"), {"+": (("tt", 1.0), ("xx", -2.0), ("yyy", 0.5))})
    jet, reference = (engine(network, x, box.names, derivatives) for engine in (by_jet, by_autograd))
    torch.testing.assert_close(jet.value, network(x), rtol=1e-14, atol=1e-14)
    for m in derivatives.indices:
        error = (jet[m] - reference[m]).norm()
        assert error <= 1e-10 * reference[m].norm(), m


def test_without_options_the_network_is_as_it_was() -> None:
    torch.manual_seed(0)
    plain = small_network("masked", 2, 1)
    model = MaskPINN("wave", {"name": "masked", "width": 7, "blocks": 2}, embedding={"periodic": [], "fourier": 0})
    assert list(model.network.state_dict()) == list(plain.state_dict())
    assert type(model.network) is type(plain)
    assert list(model.network.hidden()) == list(plain.hidden())


def test_checkpoints_restore_embedding_and_exact_conditions(tmp_path: Path) -> None:
    options = {"embedding": {"periodic": ["x"], "fourier": 4, "fourier_std": 2.0}, "exact": ["all"], "exact_time": 0.5}
    torch.manual_seed(0)
    model = MaskPINN("convection", {"name": "masked", "width": 6, "blocks": 1}, **options)
    trainer = L.Trainer(max_steps=2, max_epochs=-1, inference_mode=False, logger=False, enable_progress_bar=False,
                        enable_checkpointing=False, enable_model_summary=False, accelerator="cpu")  # fmt: skip
    trainer.fit(model, PointsDataModule(model.problem, points=30, hard=model.objective.hard))
    trainer.save_checkpoint(tmp_path / "a.ckpt")
    again = MaskPINN.load_from_checkpoint(tmp_path / "a.ckpt", weights_only=True)
    x = inside(model.problem.domain, 9)
    assert torch.equal(again(x), model(x))
    assert again.objective.hard == ("initial", "periodic_x")
    assert "network.embedding.fourier.frequencies" in again.state_dict(), "fixed frequencies are drawn: they are saved"


def test_other_refusals() -> None:
    wave = make_problem("wave")
    with pytest.raises(ValueError, match="exact_time is 0"):
        assemble("masked", wave, exact="all", exact_time=0.0)
    with pytest.raises(ValueError, match="Linear is not made of layers that act on jets"):
        assemble(torch.nn.Linear(2, 1), wave, exact="all")
    with pytest.raises(ValueError, match="takes as many inputs as its width, 64; it gets 2"):
        assemble({"name": "masked", "input_layer": False}, wave)


def test_a_network_of_the_users_own_with_an_embedding_and_exact_conditions(float64) -> None:
    network = assemble(
        small_network("residual", 3, 1), make_problem("wave"), embedding={"periodic": ["x"]}, exact=["initial"]
    )
    assert network(torch.rand(4, 2)).shape == (4, 1)


class Insulated(Problem):
    """Heat around an insulated hole; the walls across x are insulated too."""

    hole = Disk(x=0.0, y=0.0, radius=0.3)
    domain = Box(x=(-1.0, 1.0), y=(-1.0, 1.0)) - hole
    derivatives = ("xx", "yy")
    conditions = (Dirichlet("y", u=lambda p: p.y), Neumann("x", u=0.0), Robin(hole, a=1.0, u=1.0))

    def residual(self, p, u):
        return u.xx + u.yy


@pytest.mark.parametrize(
    ("backend", "problem", "embedding"),
    [("eager", "burgers", {"normalize": True, "fourier": 3}),
     ("eager", "pipes", {"normalize": True}),
     ("eager", Insulated(), {"normalize": True}),
     pytest.param("inductor", Waves(), EMBEDDINGS["all"], marks=pytest.mark.slow)],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::UserWarning:torch.*")
def test_compiled_in_one_graph_it_is_the_same(float64, backend: str, problem, embedding) -> None:
    model = MaskPINN(problem, {"name": "masked", "width": 6, "blocks": 0}, embedding=embedding, exact="all")
    network, loss = model.network, model.objective.loss
    points = PointsDataModule(model.problem, points=20, hard=model.objective.hard).draw(0)
    compiled = torch.compile(loss, fullgraph=True, dynamic=False, backend=backend)
    results = []
    for function in (loss, compiled):
        value, _ = function(network, points)
        results.append((value.detach(), torch.autograd.grad(value, list(network.parameters()))))
    torch.testing.assert_close(results[1], results[0], rtol=1e-9, atol=1e-11)
