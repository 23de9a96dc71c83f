"""Ratios measured in one run on this machine; `make bench` runs them all."""
