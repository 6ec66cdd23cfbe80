"""References of PINNacle's rows by independent numerical methods: a script for each, and the file it makes."""
