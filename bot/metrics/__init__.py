"""What Prometheus may ask. Nothing here is asked of the network or the database while somebody scrapes."""
