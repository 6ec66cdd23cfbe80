"""What the references share: discretizations, measurements of convergence, and the record of figures."""
