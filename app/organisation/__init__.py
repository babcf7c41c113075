"""The county's tree of units and their boxes; never who works there, never what was said."""
