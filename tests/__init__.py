"""The tests lie as the packages of ``bench`` do; what they share is in ``builders``."""
