"""`python -m velotrace.cli`."""

from velotrace.cli import main

main()
