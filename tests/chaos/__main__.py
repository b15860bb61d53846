"""`python -m tests.chaos`: the long form of the kill campaign."""

import sys

from tests.chaos.kill9 import main

sys.exit(main())
