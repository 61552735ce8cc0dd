"""Pure: domain objects in, Block Kit out. Everything a person wrote is escaped and cut to a named limit here."""
