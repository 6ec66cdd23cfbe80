"""What leaves the package: predictions as tables, in the formats that other programs read.

`tables.py` writes points, fields and further columns to a file whose name says its format.
"""

from mask_pinns.export.tables import WRITERS, Prediction, require_writer, write_table

__all__ = ["WRITERS", "Prediction", "require_writer", "write_table"]
