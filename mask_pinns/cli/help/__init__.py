"""Help: `--help` has the flags that people change, `--help all` every flag, `--list` what can be named."""
