"""Where a clause ends, and who speaks in it; pure."""

from __future__ import annotations

import re

CLAUSE = re.compile(r"[。!?;\n]")
COMMA = re.compile(r"[。!?;\n,]")
FIRST_PERSON = r"(?:我|本人|俺|咱|鄙人)"
