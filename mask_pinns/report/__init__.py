"""Writes the HTML report of one run or of two: `python -m mask_pinns.report RUN [OTHER]`. Training does not use it."""
