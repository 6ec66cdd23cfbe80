"""This process among others: signals, readers and parents (`signals.py`), and the machine that it shares
(`machine.py`). Neither file imports torch."""
