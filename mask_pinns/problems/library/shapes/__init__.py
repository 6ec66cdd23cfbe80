"""Problems on domains with shape, most of them those of PINNacle (Hao et al. 2024, arXiv 2306.08827)."""
