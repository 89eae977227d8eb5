"""Running what is missing of a study."""

from sweeps.run._executors import jobs_of
from sweeps.run.driver import run_study
from sweeps.run.timing_pass import measurements_of
