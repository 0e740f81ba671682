"""``python -m abp`` is the command ``abp``."""

import sys

from abp.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
