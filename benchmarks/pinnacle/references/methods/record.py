"""What scripts of this folder share: the file of their figures."""

import json
from collections.abc import Mapping
from pathlib import Path

FILE = Path(__file__).parents[3] / "results" / "pinnacle_references.json"


def record(name: str, figures: Mapping[str, object]) -> None:
    """Prints figures of a reference and adds them to those in FILE under its name."""
    print(json.dumps({name: figures}, indent=1))
    known = json.loads(FILE.read_text()) if FILE.exists() else {}
    known[name] = {**known.get(name, {}), **figures}
    FILE.write_text(json.dumps(dict(sorted(known.items())), indent=1) + "\n")
