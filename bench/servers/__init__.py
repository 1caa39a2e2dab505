"""Makes environments, and starts, proves, pins and watches servers. ``serverside/`` is what runs inside of them."""
