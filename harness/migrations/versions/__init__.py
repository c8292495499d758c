"""The schemas that a store may have had, a revision each: the number of the one before, and what has changed."""
