"""`python -m lnflow`."""

from lnflow.cli.main import main

main()
