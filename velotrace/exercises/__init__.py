"""Exercises whose parameters differ from student to student, and which check themselves."""
