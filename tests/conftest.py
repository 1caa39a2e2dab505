"""What holds for all tests."""

import gc
import os
import signal

from hypothesis import settings

from bench.run.git import WHERE_TO_LOOK

os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # the commands under test keep their bytecode, as their users' do
for name in WHERE_TO_LOOK:  # as a git hook has them: tests would commit to the repository that they are run in
    os.environ.pop(name, None)

for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(number) is signal.SIG_IGN:  # as a shell's background jobs have it, and so would the commands
        signal.signal(number, handler)

settings.register_profile("bench", deadline=None, max_examples=50)  # a busy machine breaks no law
settings.load_profile("bench")


def pytest_collection_finish() -> None:
    """Leaves all that is loaded by now out of garbage collections, which would stop a test's server meanwhile."""
    gc.freeze()
