"""What a user can name on the command line, known without the seconds that the import of torch and Lightning takes.

`tables.py` has the tables of problems, networks, activations, optimizers, samplers and engines, and reads names and
declarations from their source (`source.py`). `presets.py` finds configuration files, `problem_files.py` problem files.
"""
