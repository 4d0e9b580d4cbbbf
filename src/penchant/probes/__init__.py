"""Measurements of any `nn.Module`. Needs torch alone."""
