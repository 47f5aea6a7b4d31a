"""One HTTP exchange, whatever lies between: proxies, certificates, addresses, limits."""
