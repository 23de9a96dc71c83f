"""Every gradient by three routes: the tape, the pass by hand, finite differences.

They share the forward pass and special functions (`trigamma`, `exprel_slope`, the slope of a
Dirichlet draw), each of which is tested against mpmath; finite differences use none of the latter.
"""

from velotrace.certificates.certify import Certificate, Report, certify

__all__ = ["Certificate", "Report", "certify"]
