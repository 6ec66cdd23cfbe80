"""What the noise of measurements allows, without a neural network: `noise.py`."""
