"""The API of the service, one file per resource."""
