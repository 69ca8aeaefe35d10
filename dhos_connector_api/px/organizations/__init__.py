"""Hospitals, departments, physicians, employees and patients, and how each source calls them."""
