"""What is sent to the members service by whoever does not mean well."""
