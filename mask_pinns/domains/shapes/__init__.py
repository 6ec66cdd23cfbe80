"""Shapes by formulas, corners, and the files of other libraries."""
