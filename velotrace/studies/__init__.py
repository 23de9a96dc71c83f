"""Small experiments with the model: each returns a table, with its uncertainty."""
