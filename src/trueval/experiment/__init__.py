"""Joins the stages: plans, runs, resumes."""
