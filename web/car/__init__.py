"""A car in words and numbers: pure functions over what a node answers, for the pages that show one."""
