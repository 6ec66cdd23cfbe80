"""Problems over long times and with steep fronts, most of them those of the jaxpi benchmark (Wang et al. 2024)."""
