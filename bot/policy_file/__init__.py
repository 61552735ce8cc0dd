"""The policy file: rules as reviewed code. YAML in, catalogue entries and grants out, or an error with file, line and field."""
