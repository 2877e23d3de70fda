"""What the longer topics' claims are checked by: two sides at every seeded instance, true and broken."""
