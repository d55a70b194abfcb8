"""gliaflow: the functions behind the workflow's rules, one sub-package per stage."""

__version__ = "0.1.0"
