"""What cells leave behind, and what is drawn from it: the record, its JUnit form, and the scrubber."""
