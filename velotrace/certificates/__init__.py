"""Every gradient by three routes that share no code: the tape, the pass by hand, differences."""

from velotrace.certificates.certify import Certificate, Report, certify

__all__ = ["Certificate", "Report", "certify"]
