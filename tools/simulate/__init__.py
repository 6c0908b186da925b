"""Shops in a seed: real firmware, link, gateway logic and bank in one thread of virtual time, and faults."""
