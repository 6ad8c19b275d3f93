"""The operator board: what the nodes behind the pages tell of themselves, and alarms, gathered once for all readers."""
