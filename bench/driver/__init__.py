"""The load generator: Locust users on plain gevent sockets, in a process of their own.

``python -m bench.driver`` reads the messages of :mod:`bench.model.protocol` from standard input and answers on standard
output. Importing Locust monkey-patches the interpreter, so nothing else in bench imports this package.
"""
