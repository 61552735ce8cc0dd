"""What was submitted, as typed values or errors by field. Pure: no call, no decision about people."""
