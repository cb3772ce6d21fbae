"""What an event is, and what is made of events: filters, trees, sums, comparisons. Pure."""
