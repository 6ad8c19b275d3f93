"""Frozen tables that are consensus rules, and their hash (`ruleset`): a changed entry is a new ruleset version."""
