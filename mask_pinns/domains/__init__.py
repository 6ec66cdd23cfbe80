"""Domains of problems: the interface `Domain`, the places on which conditions hold, and the domain `Box`."""

from mask_pinns.domains.box import Box
from mask_pinns.domains.domain import SIDES, Domain, Piece, Place, Points

__all__ = ["SIDES", "Box", "Domain", "Piece", "Place", "Points"]
