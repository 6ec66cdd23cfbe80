"""What follows from a declaration: what its residuals depend on, scales, what is determined, its statement."""
