"""Does the suite detect what it is for? Mutates the SDK, a defect at a time, and runs the suite against each."""
