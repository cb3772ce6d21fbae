"""The integration matrix of the HoneyHive Python SDK: everything but the tests themselves."""
