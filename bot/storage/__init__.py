"""Everything that speaks SQL: engines, tables, and one file per noun. Nothing here decides; it keeps."""
