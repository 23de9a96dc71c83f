"""What people see: tables, texts, test vectors. Nothing here computes a model number."""
