"""The package's version, kept by itself so that builds can read it without importing torch."""

__version__ = "0.1.0"
