"""How parameters change: the optimisers' steps."""
