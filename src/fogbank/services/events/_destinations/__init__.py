"""HTTP endpoints as targets: connections keep the credentials, API destinations the address, and a route calls them."""
