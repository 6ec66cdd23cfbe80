"""The command line, in process: what it makes, and one clear line for what it cannot do."""

from __future__ import annotations

import json
import re
import shlex
import signal
from pathlib import Path

import pytest
import torch
import yaml

from callbacks.observation import RECORDED
from mask_pinns import PROBLEMS
from mask_pinns.command_line import read

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("problem", PROBLEMS)
def test_every_problem_runs_to_its_table(command, tmp_path: Path, problem: str) -> None:
    code, out, err = command("--problem", problem, "--steps", "6")
    assert (code, err) == (0, "")
    for row in ("relative L2", "worst point", "steps", "time", "tensorboard --logdir"):
        assert row in out
    run = tmp_path / "runs" / f"{problem}-1"
    names = {p.name for p in run.iterdir()}
    assert {"config.yaml", "checkpoints", "metrics.csv", "solution.png", "summary.json"} <= names
    assert any(name.startswith("events.out") for name in names)
    assert {p.name for p in (run / "checkpoints").iterdir()} == {"best.ckpt", "last.ckpt"}
    assert json.loads((run / "summary.json").read_text())["steps"] == 6


@pytest.mark.parametrize("file", sorted((ROOT / "configs").rglob("*.yaml")), ids=lambda p: p.stem)
def test_every_preset_can_be_read_and_built(file: Path) -> None:
    from train import build

    _, config = read(["--config", str(file)])
    run = build(config)
    assert run.module.problem.evaluation().values is not None
    assert any(layer.alpha is not None for layer in run.module.network.hidden().values()), "the mask is on"


def test_published_settings_are_those_of_the_paper() -> None:
    from train import build

    parameters = {"wave": 25_665, "convection": 793_857, "helmholtz": 167_041}
    for name, count in parameters.items():
        _, config = read(["--config", str(ROOT / f"configs/paper/{name}.yaml")])
        run = build(config)
        assert sum(p.numel() for p in run.module.network.parameters()) == count
        assert run.steps == {"wave": 20_000}.get(name, 50_000)
    assert run.module.objective.weights == {"boundary": 100.0}
    assert run.data.counts == {"pde": 10_000, "boundary": 100}


def test_the_published_wave_setting_trains(command) -> None:
    code, _, err = command("--config", str(ROOT / "configs/paper/wave.yaml"), "--steps", "2", tiny=False)
    assert (code, err) == (0, "")


def test_twice_the_same_command_gives_the_same_bits(command, tmp_path: Path) -> None:
    for _ in range(2):
        assert command("--steps", "8", "--optimizer", "adam 5, lbfgs")[0] == 0
    first, second = (json.loads((tmp_path / f"runs/wave-{i}/summary.json").read_text()) for i in (1, 2))
    assert first["loss"] == second["loss"]
    assert first["rel_l2"] == second["rel_l2"]


def test_the_saved_configuration_repeats_the_run(command, tmp_path: Path) -> None:
    assert command("--problem", "convection", "--problem.beta", "5", "--steps", "4", "--weights.initial", "7")[0] == 0
    saved = tmp_path / "runs/convection-1/config.yaml"
    content = yaml.safe_load(saved.read_text())
    assert (content["problem"]["beta"], content["weights"]["initial"]) == (5.0, 7.0)
    assert command("--config", str(saved), tiny=False)[0] == 0
    losses = [json.loads((tmp_path / f"runs/convection-{i}/summary.json").read_text())["loss"] for i in (1, 2)]
    assert losses[0] == losses[1]


def test_resume_goes_on_in_the_same_folder(command, tmp_path: Path) -> None:
    flags = ("--optimizer", "adam 5, lbfgs", "--log_every", "1")
    assert command("--steps", "8", *flags, "--name", "whole")[0] == 0
    assert command("--steps", "3", *flags, "--name", "half")[0] == 0
    assert command("--resume", str(tmp_path / "runs/half"), "--steps", "8", tiny=False)[0] == 0
    whole, half = (tmp_path / "runs" / name for name in ("whole", "half"))
    a, b = (torch.load(p / "checkpoints/last.ckpt", weights_only=True)["state_dict"] for p in (whole, half))
    assert all(torch.equal(a[k], b[k]) for k in a)
    logged = [[r.split(",")[0] for r in (p / "metrics.csv").read_text().splitlines()] for p in (whole, half)]
    assert len(logged[0]) == len(logged[1])
    assert json.loads((half / "summary.json").read_text())["steps"] == 8


def test_resume_last_takes_the_latest_run(command, tmp_path: Path) -> None:
    command("--steps", "2", "--name", "one")
    command("--steps", "2", "--name", "two")
    code, out, _ = command("--resume", "last", "--steps", "4", tiny=False)
    assert code == 0
    assert "runs/two" in out.replace("\n", "")


@pytest.mark.parametrize("verb", ["validate", "test"])
def test_validate_and_test_judge_a_run(command, tmp_path: Path, verb: str) -> None:
    command("--steps", "4")
    code, out, err = command(verb, "--ckpt_path", str(tmp_path / "runs/wave-1"), tiny=False)
    assert (code, err) == (0, "")
    assert re.search(r"(val|test)/rel_l2 +\d\.\d+e", out)


def test_predict_on_points_of_ones_own(command, tmp_path: Path) -> None:
    import numpy as np

    command("--steps", "4")
    np.save(tmp_path / "points.npy", np.random.default_rng(0).random((7, 2)))
    checkpoint = ("--ckpt_path", str(tmp_path / "runs/wave-1"))
    code, _, err = command("predict", *checkpoint, "--predict_points", str(tmp_path / "points.npy"), tiny=False)
    assert (code, err) == (0, "")
    with np.load(tmp_path / "runs/wave-1/prediction.npz") as file:
        assert file["points"].shape == (7, 2)
        assert file["values"].shape == (7, 1)
    assert command("predict", *checkpoint, tiny=False)[0] == 0
    with np.load(tmp_path / "runs/wave-1/prediction.npz") as file:
        assert file["values"].shape == (40_000, 1)


def test_embedding_and_exact_conditions_train_and_resume(command, tmp_path: Path) -> None:
    flags = ("--problem", "convection", "--periodic", "x", "--fourier", "4", "--exact", "all")
    assert command("--steps", "4", *flags, "--name", "whole")[0] == 0
    assert command("--steps", "2", *flags, "--name", "half")[0] == 0
    assert command("--resume", str(tmp_path / "runs/half"), "--steps", "4", tiny=False)[0] == 0
    a, b = (torch.load(tmp_path / f"runs/{n}/checkpoints/last.ckpt", weights_only=True) for n in ("whole", "half"))
    assert all(torch.equal(a["state_dict"][k], b["state_dict"][k]) for k in a["state_dict"])
    header = (tmp_path / "runs/whole/metrics.csv").read_text().splitlines()[0]
    assert "loss/pde" in header
    assert "loss/initial" not in header and "loss/periodic_x" not in header
    code, out, err = command("test", "--ckpt_path", str(tmp_path / "runs/whole"), tiny=False)
    assert (code, err) == (0, "")
    assert "test/rel_l2" in out


def test_ends_from_yaml(command, tmp_path: Path) -> None:
    """A single name may stand without brackets."""
    (tmp_path / "c.yaml").write_text("problem: convection\nembedding: {periodic: x, harmonics: 2}\nexact: all\n")
    _, config = read(["--config", str(tmp_path / "c.yaml")])
    assert (config.embedding["periodic"], config.embedding["harmonics"], config.exact) == (["x"], 2, ["all"])
    code, _, err = command("--config", str(tmp_path / "c.yaml"), "--steps", "1")
    assert (code, err) == (0, "")
    _, config = read(["--config", str(tmp_path / "c.yaml"), "--exact", "--periodic", "--seed", "3"])
    assert (config.embedding["periodic"], config.exact, config.seed) == ([], [], 3), "flags turn them off"


def test_print_config_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        read(["--print_config"])
    assert stop.value.code == 0
    assert yaml.safe_load(capsys.readouterr().out)["problem"]["name"] == "wave"
    with pytest.raises(SystemExit):
        read(["--problem", "burgers", "--help"])
    shown = capsys.readouterr().out
    for piece in ("--problem.nu", "--width", "python train.py", "adam 2000, lbfgs", "--resume"):
        assert piece in shown


BAD = [
    (["--problem", "wav"], "unknown problem 'wav'; did you mean 'wave'? known: wave, convection"),
    (["--activation", "gleu"], "did you mean 'gelu'? known: gelu, tanh"),
    (["--network", "mask"], "did you mean 'masked'? known: masked, residual, mlp"),
    (["--optimizer", "adm"], "did you mean 'adam'? known: adam, lbfgs"),
    (["--optimizer", "adam 0"], "steps is 0"),
    (["--sampler", "sobl"], "did you mean 'sobol'"),
    (["--derivatives", "jets"], "did you mean 'jet'"),
    (["--points", "0"], "points"),
    (["--points", "-5"], "points"),
    (["--points.initial", "0"], "points"),
    (["--points.boundary", "10"], "unknown point set of Wave 'boundary'"),
    (["--weights.boundary", "10"], "unknown loss term of Wave 'boundary'"),
    (["--width", "0"], "width"),
    (["--width", "-3"], "width"),
    (["--width", "wide"], "width"),
    (["--blocks", "-1"], "blocks"),
    (["--steps", "0"], "steps"),
    (["--steps", "-7"], "steps"),
    (["--lr", "0"], "lr"),
    (["--mask_init", "0"], "mask_init is 0"),
    (["--seed", "-1"], "seed"),
    (["--problem.beta", "3"], "unknown setting --problem.beta"),
    (["--problem.c", "fast"], "problem.c"),
    (["--problem.c", "nan"], "problem.c"),
    (["--stpes", "3"], "unknown setting --stpes; did you mean --steps?"),
    (["--problem", "missing.py:Mine"], "problem file missing.py does not exist"),
    (["--config", "missing.yaml"], "configuration file missing.yaml does not exist"),
    (["--resume", "missing.ckpt"], "checkpoint missing.ckpt does not exist"),
    (["--resume", "last"], "there is no run with a checkpoint"),
    (["--precision", "7"], "precision"),
    (["--accelerator", "abacus"], "abacus"),
    (["--devices", "0"], "devices"),
    (["--precision", "bf16-true"], "unknown precision 'bf16-true'"),
    (["--devices", "foo", "--accelerator", "cpu"], "no such machine"),
    (["--periodic", "z"], "no coordinate 'z'; it has x, t"),
    (["--exact", "inital"], "did you mean 'initial'? known: initial, dirichlet_x, all"),
    (["--problem", "convection", "--periodic", "--exact", "all"], "embed its coordinate: --periodic x"),
    (["--fourier", "-2"], "fourier"),
    (["--fourier_std", "0"], "fourier_std"),
    (["--harmonics", "0"], "harmonics"),
    (["--exact_time", "0"], "exact_time"),
    (["--embedding.peridic", "x"], "did you mean --embedding.periodic?"),
    (["--first_scale", "0"], "first_scale is 0"),
    (["--network.input_layer", "false"], "e.g. --fourier 3"),
    (["validate"], "--ckpt_path"),
    (["predict"], "--ckpt_path"),
    (["train"], "train"),
]


@pytest.mark.parametrize(("flags", "message"), BAD, ids=lambda x: " ".join(x) if isinstance(x, list) else "")
def test_bad_input_answers_in_one_line(command, tmp_path: Path, flags: list[str], message: str) -> None:
    code, _, err = command(*flags) if "--steps" in flags else command(*flags, "--steps", "2")
    assert code == 2, err
    assert message in err
    assert err.count("\n") == 1, err
    assert not (tmp_path / "runs").exists(), "a command that cannot run leaves no folder"


def test_checkpoints_that_cannot_be_used(command, tmp_path: Path) -> None:
    command("--steps", "3", "--name", "a")
    last = tmp_path / "runs/a/checkpoints/last.ckpt"
    good = last.read_bytes()
    code, _, err = command("--resume", str(last), "--width", "9", "--steps", "5", tiny=False)
    assert (code, err.count("\n")) == (2, 1)
    assert "is of another network" in err
    code, _, err = command("--resume", str(last), tiny=False)
    assert code == 2
    assert "has had 3 steps already" in err
    for content in (good[: len(good) // 2], b"", b"hello"):
        last.write_bytes(content)
        code, _, err = command("--resume", str(last), "--steps", "5", tiny=False)
        assert (code, err.count("\n")) == (2, 1), err
        assert "cannot be read" in err
    torch.save({"weights": 3}, last)
    assert "no checkpoint of a MaskPINN" in command("--resume", str(last), "--steps", "5", tiny=False)[2]


def test_a_folder_that_cannot_be_written(command, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    code, _, err = command("--steps", "2", "--folder", str(tmp_path / "file"))
    assert (code, err.count("\n")) == (2, 1)
    assert "file" in err


def test_yaml_with_unknown_keys_or_none_at_all(command, tmp_path: Path) -> None:
    for text, message in (
        ("problem: {name: wave, beta: 3}", "problem.beta"),
        ("widht: 3", "widht"),
        ("network: 7", "network"),
        ("- a list", "expected keys and values"),
        ("a: [1,", "not YAML"),
    ):
        (tmp_path / "c.yaml").write_text(text)
        code, _, err = command("--config", str(tmp_path / "c.yaml"))
        assert (code, err.count("\n")) == (2, 1), err
        assert message in err


MINE = """
import torch
from mask_pinns import Box, Initial, Problem

class Mine(Problem):
    domain = Box(x=(0.0, 1.0), t=(0.0, 1.0))
    derivatives = ("t",)
    conditions = (Initial(u=lambda p: p.x),)
    rate: float = 1.0

    def residual(self, p, u):
        return RESIDUAL
"""


def test_a_problem_of_the_users_own(command, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(MINE.replace("RESIDUAL", "u.t + self.rate * u"))
    code, out, err = command("--problem", f"{tmp_path}/mine.py:Mine", "--problem.rate", "2", "--steps", "3")
    assert (code, err) == (0, "")
    assert "relative L2" not in out  # nothing is known to compare with
    assert (tmp_path / "runs/Mine-1/solution.png").is_file()


@pytest.mark.parametrize(
    ("residual", "message"),
    [("u.xx", 'add "xx"'), ("(u.t)[:, None]", "(2, 1)"), ("u.t.mean()", "shape ()"), ("1 / 0", "ZeroDivisionError")],
)
def test_a_problem_with_a_mistake_in_it(command, tmp_path: Path, residual: str, message: str) -> None:
    (tmp_path / "mine.py").write_text(MINE.replace("RESIDUAL", residual))
    code, _, err = command("--problem", f"{tmp_path}/mine.py:Mine", "--steps", "3")
    assert (code, err.count("\n")) == (2, 1), err
    assert message in err


def test_nan_exits_with_one_and_keeps_the_last_good_checkpoint(command, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(MINE.replace("RESIDUAL", "u.t + torch.log(1.0 - u)"))
    code, _, err = command(
        "--problem", f"{tmp_path}/mine.py:Mine", "--steps", "300", "--lr", "5", "--validate_every", "1", "--exact"
    )
    assert code == 1
    assert re.search(r"stopped: the loss became nan at step \d+: term 'pde'.*; the last good checkpoint is kept$", err)
    assert err.count("\n") == 1
    kept = torch.load(tmp_path / "runs/Mine-1/checkpoints/last.ckpt", weights_only=True)["state_dict"]
    assert all(torch.isfinite(v).all() for v in kept.values())
    assert json.loads((tmp_path / "runs/Mine-1/summary.json").read_text())["stop_reason"] == "non-finite loss"


def test_ctrl_c_keeps_a_checkpoint_that_resume_continues(command, tmp_path: Path, monkeypatch) -> None:
    from mask_pinns import MaskPINN

    original, steps = MaskPINN.training_step, []
    before = signal.getsignal(signal.SIGINT)

    def interrupted(self, points, index):
        steps.append(index)
        if len(steps) == 4:
            signal.raise_signal(signal.SIGINT)
        return original(self, points, index)

    monkeypatch.setattr(MaskPINN, "training_step", interrupted)
    code, out, _ = command("--steps", "10")
    assert code == 130
    assert "interrupted" in out
    monkeypatch.setattr(MaskPINN, "training_step", original)
    run = tmp_path / "runs/wave-1"
    assert torch.load(run / "checkpoints/last.ckpt", weights_only=True)["global_step"] == 4
    assert command("--resume", str(run), "--steps", "10", tiny=False)[0] == 0
    assert command("--steps", "10", "--name", "whole")[0] == 0
    a, b = (
        torch.load(p / "checkpoints/last.ckpt", weights_only=True)["state_dict"] for p in (run, tmp_path / "runs/whole")
    )
    assert all(torch.equal(a[k], b[k]) for k in a)
    assert signal.getsignal(signal.SIGINT) is before


def test_a_name_that_is_taken_gets_a_number(command, tmp_path: Path) -> None:
    for _ in range(2):
        assert command("--steps", "1", "--name", "mine")[0] == 0
    assert {p.name for p in (tmp_path / "runs").iterdir()} == {"mine", "mine-2"}


def test_the_commands_in_the_readme_can_be_read() -> None:
    text = (ROOT / "README.md").read_text()
    lines = re.findall(r"^ *python train\.py(.*)$", text, re.MULTILINE)
    assert len(lines) >= 5
    for line in lines:
        words = shlex.split(line.partition("#")[0])
        if not any(piece in line for piece in ("--resume", "--ckpt_path", "runs/", ".py:", "--help")):
            read(words)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("problem: {name: 3}", "problem.name"),
        ("points: null", "points"),
        ("optimizer: null", "optimizer"),
        ("seed: null", "seed"),
        ("network: {name: masked, width: null}", "width"),
        ("trainer: 3", "trainer"),
        ("1: 2", "no name"),
        ("steps: abc", "steps"),
        ("exact: 3", "exact"),
        ("embedding: {periodic: 3}", "periodic"),
        ("embedding: {fourier: many}", "fourier"),
        ("embedding: x", "embedding"),
        ("exact: null", "exact"),
        ("adaptive: 3", "adaptive"),
        ("adaptive: [a, 1]", "adaptive"),
        ("adaptive: null", "adaptive"),
        ("causal: null", "causal"),
        ("balance: often", "balance"),
    ],
)
def test_yaml_values_of_the_wrong_kind(command, tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "c.yaml").write_text(text)
    code, _, err = command("--config", str(tmp_path / "c.yaml"), tiny=False)
    assert (code, err.count("\n")) == (2, 1), err
    assert message in err


def test_a_refused_resume_changes_nothing(command, tmp_path: Path) -> None:
    command("--steps", "5", "--optimizer", "adam 3, lbfgs 2", "--name", "a")
    run = tmp_path / "runs/a"
    before = {p: p.read_bytes() for p in run.rglob("*") if p.is_file()}
    for flags in (["--optimizer", "lbfgs 30"], ["--optimizer", "adam 3, adam"], ["--lr", "0.5"]):
        code, _, err = command("--resume", str(run), "--steps", "9", *flags, tiny=False)
        assert (code, err.count("\n")) == (2, 1), err
        assert "trained by other phases" in err
    assert {p: p.read_bytes() for p in run.rglob("*") if p.is_file()} == before
    assert command("--resume", str(run), "--steps", "7", tiny=False)[0] == 0
    assert json.loads((run / "summary.json").read_text())["steps"] == 7, "a larger --steps lengthens the last phase"


def test_flags_that_belong_to_another_command(command, tmp_path: Path) -> None:
    command("--steps", "2", "--name", "a")
    assert "--resume" in command("--ckpt_path", str(tmp_path / "runs/a"), tiny=False)[2]
    assert command("test", "--resume", str(tmp_path / "runs/a"), tiny=False)[0] == 2


@pytest.mark.parametrize("content", [b"", b"text", b"\x93NUMPY"])
def test_points_files_that_cannot_be_read(command, tmp_path: Path, content: bytes) -> None:
    command("--steps", "2", "--name", "a")
    (tmp_path / "p.npy").write_bytes(content)
    run = str(tmp_path / "runs/a")
    code, _, err = command("predict", "--ckpt_path", run, "--predict_points", str(tmp_path / "p.npy"), tiny=False)
    assert (code, err.count("\n")) == (2, 1), err
    assert "p.npy cannot be read" in err


def test_what_can_be_recorded_is_what_the_callback_records() -> None:
    """The command line stands below the callbacks and has names of its own."""
    assert read([])[1].statistics_record == list(RECORDED)


def test_a_phase_that_ends_early_does_not_lengthen_the_last(command, tmp_path: Path) -> None:
    phases = "[{optimizer: adam, steps: 60, target: 1000000.0}, {optimizer: gauss_newton, steps: 3}]"
    for flags, steps, reason in (([], 4, "last phase done"), (["--steps", "6"], 6, "steps")):
        assert command("--optimizer", phases, *flags, "--name", f"a{steps}")[0] == 0
        summary = json.loads((tmp_path / f"runs/a{steps}/summary.json").read_text())
        assert (summary["steps"], summary["stop_reason"]) == (steps, reason)
