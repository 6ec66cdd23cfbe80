"""What a bug report needs to know of a machine, and whether the package works on it: `python -m mask_pinns.doctor`."""
