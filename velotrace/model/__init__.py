"""veloVI in pure functions: the forward pass, and beside it the backward pass by hand.

Read `objective` first: it is the forward pass from top to bottom, in the document's order.
"""
