"""Self-contained pages and their figures: one look for reports and explanations."""
