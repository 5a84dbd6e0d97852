"""Deploy the pool's own Consul: servers, secrets, certificates, credentials."""
