"""The wheel: built, installed by itself, and trained from, away from the checkout."""

from __future__ import annotations

import ast
import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from helpers import ROOT

import mask_pinns

TOP = ("datamodules", "callbacks")
"""Rooms at the top of a checkout that a wheel holds inside the package."""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel's content and nothing else of this project."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"  # setuptools leaves a folder behind, whose old files a later wheel would hold
    for room in ("mask_pinns", "configs", *TOP):
        shutil.copytree(ROOT / room, source / room)
    for file in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / file, source)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    options = ["--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, "wheel", *options, "--wheel-dir", str(folder), str(source)], check=True, capture_output=True)
    (wheel,) = folder.glob("mask_pinns-*.whl")
    subprocess.run([*pip, "install", "--no-deps", "--target", str(folder / "site"), str(wheel)], check=True)
    return folder / "site"


def python(site: Path, cwd: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Python that finds this project in `site` alone (an editable install would come from site-packages' hooks)."""
    environment = {**os.environ, "PYTHONPATH": str(site)}
    return subprocess.run([sys.executable, *words], cwd=cwd, env=environment, capture_output=True, text=True)


@pytest.mark.parametrize("command", ["mask-pinns", "-P -m mask_pinns"])
def test_a_few_steps_from_the_wheel(installed: Path, tmp_path: Path, command: str) -> None:
    """Files of a user's own that are called as ours, beside which it is run, are not taken: by no process."""
    words = [str(installed / "bin/mask-pinns")] if command == "mask-pinns" else command.split()
    for own in ("train.py", "callbacks/__init__.py", "datamodules/__init__.py", "mask_pinns.py"):
        file = tmp_path / own
        file.parent.mkdir(exist_ok=True)
        file.write_text("raise SystemExit(f'{__file__} was run')\n")
    flags = ["--points", "50", "--optimizer", "adam", "--statistics_record", "moments", "--width", "5", "--blocks", "1"]
    two = ["--devices", "2", "--strategy", "ddp", "--accelerator", "cpu"]
    run = python(installed, tmp_path, *words, "--steps", "3", *flags, *two)
    assert run.returncode == 0, run.stderr
    assert "relative L2" in run.stdout
    summary = json.loads((tmp_path / "runs/wave-1/summary.json").read_text())
    assert (summary["steps"], summary["devices"]) == (3, 2)
    assert summary["dtype"] == "float64", "the recipe came along"
    assert summary["commit"] is None, "not run from the checkout"


def test_the_published_settings_are_found_from_any_folder(installed: Path, tmp_path: Path) -> None:
    for name in ("configs/paper/wave.yaml", "paper/wave"):
        shown = python(installed, tmp_path, "-m", "mask_pinns", "--config", name, "--print_config")
        assert shown.returncode == 0 and "steps: 20000" in shown.stdout, shown.stderr


def test_the_wheel_installs_one_package_with_its_types(installed: Path) -> None:
    packages = [path.name for path in installed.iterdir() if path.suffix != ".dist-info" and path.name != "bin"]
    assert packages == ["mask_pinns"]
    assert (installed / "mask_pinns/py.typed").is_file()
    checkout = {path.relative_to(ROOT) for room in ("mask_pinns", *TOP) for path in (ROOT / room).rglob("*.py")}
    wheel = {path.relative_to(installed / "mask_pinns") for path in (installed / "mask_pinns").rglob("*.py")}
    assert {path if path.parts[0] in TOP else path.relative_to("mask_pinns") for path in checkout} == wheel


SHOWN = """
from mask_pinns import *
import mask_pinns
from mask_pinns.cli.configuration import configs_folder
print(mask_pinns.__file__, PointsDataModule.__module__, FeatureStatistics.__module__)
print((configs_folder() / "paper/wave.yaml").is_file())
print(*(len(problem().evaluation().points) for problem in PROBLEMS.values() if problem.reference))
"""


def test_the_wheel_holds_public_names_references_and_presets(installed: Path, tmp_path: Path) -> None:
    shown = python(installed, tmp_path, "-c", SHOWN)
    assert shown.returncode == 0, shown.stderr
    where, points_module, callback, preset, *points = shown.stdout.split()
    assert Path(where).is_relative_to(installed)
    assert points_module == "mask_pinns.datamodules.points" and callback.startswith("mask_pinns.callbacks.features.")
    assert (preset, points) == (
        "True",
        [str(257 * 101)] * 3
        + ["3000"] * 5
        + [str(257 * 101), "301"]
        + [str(257 * 101)] * 2
        + ["2001", str(257 * 51), str(65 * 65 * 6)],
    )  # Burgers, KdV, Allen-Cahn; on shapes; measured; over long times


def requirements(*extras: str) -> list[str]:
    """What pyproject.toml declares: the dependencies, and those of the extras named."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = [*project["dependencies"], *(r for extra in extras for r in project["optional-dependencies"][extra])]
    return [r for r in named if not r.startswith(project["name"])]


def distribution(requirement: str) -> str:
    """Its name alone, as distributions compare theirs."""
    return re.split(r"[^\w.-]", requirement)[0].lower().replace("-", "_")


def pins() -> dict[str, str]:
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    return {distribution(line): line.split("==")[1] for line in lines if line and not line.startswith("#")}


def test_every_dependency_is_pinned_and_the_bad_uploads_are_excluded() -> None:
    assert pins()["torch"] == "2.13.0"
    assert pins()["lightning"] not in ("2.6.2", "2.6.3")
    assert {distribution(r) for r in requirements("studies", "dev")} <= set(pins())
    assert any("!=2.6.2,!=2.6.3" in r for r in requirements())


def imported_packages(path: Path) -> set[str]:
    packages = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            packages |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            packages.add(node.module.split(".")[0])
    return packages - set(sys.stdlib_module_names)


@pytest.mark.parametrize(
    ("rooms", "extras"),
    [
        (("mask_pinns", "datamodules", "callbacks", "train.py"), ("tune", "completion")),
        (("benchmarks", "tests"), ("studies", "dev")),
    ],
    ids=["package", "benchmarks and tests"],
)
def test_what_is_imported_is_declared(rooms: tuple[str, ...], extras: tuple[str, ...]) -> None:
    """The lock alone must do: a package that somebody installed by hand is not there on a fresh clone."""
    files = [f for room in rooms for f in ([ROOT / room] if room.endswith(".py") else (ROOT / room).rglob("*.py"))]
    files = [
        f for f in files if not {"peers", "references", "measurements"} & {*f.parts}
    ]  # theirs; made once, with scipy
    ours = {path.stem for room in ("mask_pinns", "benchmarks", "tests", *TOP) for path in (ROOT / room).rglob("*")}
    distributions = importlib.metadata.packages_distributions()
    declared = {distribution(r) for r in requirements(*extras)}
    for file in files:
        for name in imported_packages(file):
            if name in distributions:  # ours are not, unless installed
                sources = {d.lower().replace("-", "_") for d in distributions[name]}
                assert sources & (declared | {"mask_pinns"}), (
                    f"{file} imports {name}, which pyproject.toml does not name"
                )
            else:
                assert name in ours | {"mask_pinns", "train", *TOP}, f"{file} imports {name}, which is not installed"


PAGES = [
    "README.md",
    "CONTRIBUTING.md",
    "benchmarks/ACCURACY.md",
    *(f"docs/{p.name}" for p in (ROOT / "docs").glob("*.md")),
]


@pytest.mark.parametrize("page", PAGES)
def test_every_local_link_leads_somewhere(page: str) -> None:
    path = ROOT / page
    links = re.findall(r"\]\(([^)#]+)\)", path.read_text())
    missing = [link for link in links if "://" not in link and not (path.parent / link).exists()]
    assert not missing


def test_a_checkout_takes_its_own_rooms_whatever_is_installed() -> None:
    """Another checkout's editable installation knows these names too; the wrong code would run without a word."""
    for room in TOP:
        knows = (f for f in sys.meta_path if f.find_spec(f"mask_pinns.{room}", mask_pinns.__path__))
        assert next(knows) is mask_pinns.checkout.RoomFinder
        assert sys.modules[f"mask_pinns.{room}"].__file__ == str(ROOT / room / "__init__.py")
