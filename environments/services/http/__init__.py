"""What every service here shares of HTTP: sockets, bodies, JSON, and what goes wrong with them."""
