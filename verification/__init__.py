"""The ledger: what is true of the papers' claims, and evidence that anyone can check again."""
