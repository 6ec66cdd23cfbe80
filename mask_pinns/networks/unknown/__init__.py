"""What is found together with the fields: `UnknownNumbers`, and `UnknownFunctions` with networks of their own."""

from mask_pinns.networks.unknown.functions import UnknownFunctions, values_of_functions
from mask_pinns.networks.unknown.numbers import UnknownNumbers, trained_numbers, unknown_values

__all__ = ["UnknownFunctions", "UnknownNumbers", "trained_numbers", "unknown_values", "values_of_functions"]
