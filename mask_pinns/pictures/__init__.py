"""Pictures and files of a solution on a domain of any shape: triangles of plane sections, surfaces, cells."""
