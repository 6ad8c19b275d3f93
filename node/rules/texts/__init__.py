"""Texts of codes in English, German and Chinese. They are no part of a ruleset: a wrong text is corrected at once."""
