"""`python -m lnflow.plugin`."""

from lnflow.plugin import main

if __name__ == "__main__":
    main()
