"""The plan language: which real calls are placed over which trunks, within which limits."""

from callsim.plan.load import check_plan, is_plan, load_plan
from callsim.plan.model import Plan
from callsim.plan.references import Reference, SecretError, read_secret

__all__ = ["Plan", "Reference", "SecretError", "check_plan", "is_plan", "load_plan", "read_secret"]
