"""Domains of problems: shapes with named coordinates, their combinations, and the places on which conditions hold.

`region.py` says what every domain is asked, `domain.py` combines domains; a shape is a file (box, balls, curved,
polygon, meshes); `surfaces.py` and `cuts.py` make places on boundaries, `scattered.py` those of measurements,
`places.py` and `points.py` what these are.
"""

from mask_pinns.domains.box import Box
from mask_pinns.domains.domain import Complement, Domain, Intersection, Union, union
from mask_pinns.domains.places import SIDES, Piece, Place
from mask_pinns.domains.points import Points
from mask_pinns.domains.scattered import ScatteredPlace
from mask_pinns.domains.shapes.balls import Ball, Disk
from mask_pinns.domains.shapes.curved import Ellipse, HalfPlane
from mask_pinns.domains.shapes.meshes import Mesh, outline
from mask_pinns.domains.shapes.polygon import Polygon

__all__ = [
    "SIDES", "Ball", "Box", "Complement", "Disk", "Domain", "Ellipse", "HalfPlane", "Intersection", "Mesh", "Piece",
    "Place", "Points", "Polygon", "ScatteredPlace", "Union", "outline", "union",
]  # fmt: skip
