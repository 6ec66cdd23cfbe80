"""Inverse problems: unknown numbers and functions, found from measurements.

measurements/make.py makes the measurements.
"""
