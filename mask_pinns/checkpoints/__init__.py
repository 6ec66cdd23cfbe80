"""Checkpoints: `contents.py` checks their parts, `compatibility.py` whether they fit, `loading.py` loads them.

`rollback.py` restores good weights when the loss becomes NaN; `atomic_files.py` writes files completely or not at all.
"""
