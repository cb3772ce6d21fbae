"""The gateway: the one door out of a cell, to the real staging (`paced`) or production (`read-only`)."""
