"""What leaves the package: predictions as tables, the solution as a program that runs without this package.

`tables.py` writes points, fields and further columns to a file whose name says its format. `solution.py` exports the
solution: `program.py` makes a program of it, `files.py` writes it (`functions.py` has what ONNX lacks), and `trial.py`
compares it with the predictions, run by `reading.py` in a process of its own.
"""

from mask_pinns.export.files import FORMATS, require_format
from mask_pinns.export.solution import Export, export_solution
from mask_pinns.export.tables import WRITERS, Prediction, require_writer, write_table

__all__ = [
    "FORMATS", "WRITERS", "Export", "Prediction", "export_solution", "require_format", "require_writer", "write_table",
]  # fmt: skip
