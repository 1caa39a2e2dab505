"""What a good machine says of itself, and what a short A/A found on it."""

from bench.doctor.diagnosis import AaTest, Host, Resolution
from bench.model.estimate import Estimate, Status, Validity
from bench.model.metrics import Better, Unit
from tests.builders.runs import manifest

HOST = Host(
    cores=(0, 1),
    pinnable=True,
    siblings={0: "0", 1: "1"},
    quotas=(),
    governors={0: "performance", 1: "performance"},
    no_turbo="1",
    boost=None,
    load_average=0.1,
    available_mib=4096.0,
    open_files=1024,
    open_files_of_server=1024,
    clock_source="tsc",
    address_randomisation="2",
    versions={"python": "3.11.2", "valgrind": "3.19.0"},
)
"""A machine with nothing to be said against it."""
HERE = manifest().machine
SPREAD = Estimate(0.02, 0.01, 0.05, 3, Unit.LOG_RATIO, Better.LOWER)
AA_TEST = AaTest(
    lane="alpha@gthread",
    rounds=3,
    wall_s=21.0,
    validity=Validity(Status.VALID),
    ratio=Estimate.ratio(1.01, 0.97, 1.05, 3),
    spread=SPREAD,
    difference=Estimate(0.031, 0.016, 0.081, 3, Unit.RATIO_BEYOND_1, Better.LOWER),
    resolution=Resolution(difference=0.031, rounds=6, expected_s=330.0),
    others=(
        Resolution(difference=0.01, rounds=50, expected_s=2750.0),
        Resolution(difference=0.001, rounds=None, expected_s=None),
    ),
)
