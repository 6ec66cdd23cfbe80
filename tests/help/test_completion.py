"""Shell completion: the script for bash completes as a shell does; it is made from all flags; mistakes have a line."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from mask_pinns.catalog.tables import NETWORKS, OPTIMIZERS, PROBLEMS
from mask_pinns.cli.main import main
from mask_pinns.cli.parser import COMMANDS, build_parser

pytest.importorskip("shtab")


@pytest.fixture(scope="module")
def scripts() -> dict[str, str]:
    from mask_pinns.cli.help.completion import script

    return {shell: script(build_parser("wave", "masked"), shell) for shell in ("bash", "zsh", "fish", "tcsh")}


def completed(script: str, folder: Path, *words: str) -> set[str]:
    """What bash proposes for the last of these words."""
    quoted = " ".join(f"'{word}'" for word in words)
    lines = [
        script,
        f"COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}",
        f"function=$(complete -p {words[0]} | sed 's/.*-F \\([^ ]*\\) .*/\\1/')",
        "$function 2>/dev/null",  # compopt complains outside of a completion
        'printf "%s\\n" "${COMPREPLY[@]}"',
    ]
    done = subprocess.run(["bash", "-c", "\n".join(lines)], cwd=folder, capture_output=True, text=True)
    return set(done.stdout.split())


BEGUN = {
    "": set(COMMANDS),
    "--wid": {"--width"},
    "--problem ": set(PROBLEMS.names()),
    "--problem bur": {"burgers", "burgers_periodic", "burgers_inverse"},
    "test --network ": set(NETWORKS.names()),
    "--optimizer ss": {name for name in OPTIMIZERS.names() if name.startswith("ss")},
    "--mask ": {"true", "false"},
    "--problem kdv --problem.delt": {"--problem.delta"},
    "--network siren --network.ome": {"--network.omega"},
    "tune --sear": {"--search"},
    "--config m": {"mine.yaml", "more"},
    "--verify --on_stall ": {"tell", "retry"},
    "--matmul_precision hi": {"highest", "high"},
    "--completion b": {"bash"},
}


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
@pytest.mark.parametrize("called", ["mask-pinns", "train.py", "python train.py", "python -m mask_pinns"])
def test_bash_completes_flags_names_and_files(scripts: dict[str, str], tmp_path: Path, called: str) -> None:
    (tmp_path / "mine.yaml").touch()
    (tmp_path / "more").mkdir()
    for begun, expected in BEGUN.items():
        if called == "mask-pinns" or begun in ("--wid", "--problem bur", "test --network "):
            assert completed(scripts["bash"], tmp_path, *called.split(), *begun.split(" ")) == expected, begun
    if called == "python train.py":
        assert completed(scripts["bash"], tmp_path, "python", "other.py", "--wid") == set()


def test_the_other_shells_have_the_same_flags(scripts: dict[str, str]) -> None:
    for shell, text in scripts.items():
        assert "train.py" in text and "mask-pinns" in text, shell
        for flag in ("width", "problem.delta", "network.omega", "search"):
            assert flag in text, (shell, flag)
        assert "burgers_inverse" in text, shell


def test_the_command_prints_it(capsys: pytest.CaptureFixture[str], scripts: dict[str, str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["--completion", "bash"])
    assert stop.value.code == 0 and capsys.readouterr().out == scripts["bash"] + "\n"


def test_another_shell_and_a_missing_package_are_answered(answer, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "expected one of bash, zsh, tcsh, fish" in answer(["--completion", "ksh"])
    monkeypatch.setattr("mask_pinns.cli.help.completion.find_spec", lambda name: None)
    assert 'it needs shtab: pip install "mask-pinns[completion]"' in answer(["--completion", "bash"])
